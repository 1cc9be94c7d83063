"""The supervisor with small real processes: restarts, order of ending, and nothing left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runtime import processes, stack
from runtime.supervisor import ProcessSpec, Supervisor

PROJECT = Path(__file__).resolve().parents[2]
_STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


def _until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            pytest.fail("it did not happen in time")
        time.sleep(0.02)
    return result


def _python(name, code, folder, **options):
    return ProcessSpec(name, (sys.executable, "-c", code), folder, **options)


@pytest.fixture
def supervise(tmp_path):
    supervisors = []

    def start(*specs):
        said = []
        supervisor = Supervisor(specs, tmp_path / "logs", announce=said.append)
        supervisors.append(supervisor)
        supervisor.start()
        return supervisor, said

    yield start
    for supervisor in supervisors:
        supervisor.stop()


class TestRestart:
    def test_starts_again_what_was_killed_and_says_so(self, supervise, tmp_path):
        supervisor, said = supervise(ProcessSpec("sleeper", ("sleep", "60"), tmp_path))
        first = supervisor.pid("sleeper")

        os.kill(first, signal.SIGKILL)

        _until(lambda: supervisor.pid("sleeper") not in {None, first})
        assert "sleeper was ended by SIGKILL; starting it again" in said[0]

    def test_waits_longer_each_time(self, supervise, tmp_path):
        _, said = supervise(_python("broken", "raise SystemExit(3)", tmp_path))

        _until(lambda: len(said) >= 2)

        assert ["in 0.5 s" in said[0], "in 1 s" in said[1]] == [True, True]
        assert "ended with status 3" in said[0]

    def test_restart_replaces_a_running_process(self, supervise, tmp_path):
        supervisor, said = supervise(ProcessSpec("sleeper", ("sleep", "60"), tmp_path))
        first = supervisor.pid("sleeper")

        supervisor.restart("sleeper")

        assert supervisor.pid("sleeper") not in {None, first}
        assert said == []

    def test_a_process_outlives_the_thread_that_asked_for_it(self, supervise, tmp_path):
        supervisor, _ = supervise(ProcessSpec("sleeper", ("sleep", "60"), tmp_path))
        thread = threading.Thread(target=supervisor.restart, args=("sleeper",))
        thread.start()
        thread.join()
        pid = supervisor.pid("sleeper")

        _until(lambda: "sleep 60" in processes.command_line(pid))

        assert supervisor.pid("sleeper") == pid

    def test_starts_a_swollen_process_anew(self, supervise, tmp_path, monkeypatch):
        monkeypatch.setattr("runtime.supervisor._CARE_LOOKS", 1)
        code = "import time; held = bytearray(b'x') * 80_000_000; time.sleep(60)"

        _, said = supervise(_python("big", code, tmp_path, recycle_above_bytes=60_000_000))

        _until(lambda: said)
        assert "big holds more than 60 MB" in said[0]

    def test_lets_a_process_swell_for_its_work(self, supervise, tmp_path, monkeypatch):
        """A worker in the middle of an enormous window would lose it, and swell again at the next attempt."""
        monkeypatch.setattr("runtime.supervisor._CARE_LOOKS", 1)
        code = (
            "import time\n"
            "for _ in range(4):\n"
            "    held = bytearray(b'x') * 80_000_000; time.sleep(1); del held; time.sleep(0.5)\n"
            "print('worked', flush=True); time.sleep(60)"
        )

        supervisor, said = supervise(_python("big", code, tmp_path, recycle_above_bytes=60_000_000))

        _until(lambda: "worked" in processes.tail(supervisor.log("big")))
        assert said == []


class TestStop:
    def test_ends_in_the_listed_order(self, supervise, tmp_path):
        code = (
            "import signal, sys, time\n"
            "def end(*_):\n"
            "    open('ended', 'a').write(sys.argv[1]); raise SystemExit\n"
            "signal.signal(signal.SIGTERM, end)\n"
            "print('ready', flush=True)\n"
            "while True: time.sleep(1)\n"
        )
        specs = [ProcessSpec(name, (sys.executable, "-c", code, name), tmp_path) for name in "abc"]
        supervisor, _ = supervise(*specs)
        _until(lambda: all("ready" in processes.tail(supervisor.log(name)) for name in "abc"))

        supervisor.stop()

        assert (tmp_path / "ended").read_text() == "abc"

    def test_kills_what_does_not_end_in_its_time(self, supervise, tmp_path):
        supervisor, said = supervise(_python("stubborn", _STUBBORN, tmp_path, stop_seconds=0.2))
        pid = supervisor.pid("stubborn")
        _until(lambda: "ready" in processes.tail(supervisor.log("stubborn")))

        supervisor.stop()

        assert processes.command_line(pid) == ""
        assert said == ["stubborn did not end within 0.2 s and was killed."]

    def test_takes_grandchildren_along(self, supervise, tmp_path):
        code = "import subprocess, time; print(subprocess.Popen(['sleep', '61']).pid, flush=True); time.sleep(60)"
        supervisor, _ = supervise(_python("parent", code, tmp_path))
        grandchild = int(_until(lambda: processes.tail(supervisor.log("parent"))))

        supervisor.stop()

        _until(lambda: processes.command_line(grandchild) == "")

    def test_ends_a_wait_from_another_thread(self, supervise, tmp_path):
        supervisor, _ = supervise(ProcessSpec("sleeper", ("sleep", "60"), tmp_path))
        waiter = threading.Thread(target=supervisor.wait)
        waiter.start()

        supervisor.stop()

        waiter.join(5)
        assert not waiter.is_alive()


class TestLogs:
    def test_a_log_that_grew_is_emptied_under_its_process(self, supervise, tmp_path, monkeypatch):
        monkeypatch.setattr("runtime.supervisor._CARE_LOOKS", 1)
        monkeypatch.setattr("runtime.supervisor._LOG_BYTES", 100)
        code = "import time\nwhile True: print('x' * 50, flush=True); time.sleep(0.05)"

        supervisor, _ = supervise(_python("talker", code, tmp_path))

        kept = tmp_path / "logs/talker.log.1"
        _until(lambda: kept.exists() and 0 < supervisor.log("talker").stat().st_size < kept.stat().st_size)
        assert not supervisor.log("talker").read_bytes().startswith(b"\0")

    def test_a_large_log_moves_aside_at_the_start(self, supervise, tmp_path):
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs/sleeper.log").write_bytes(b"x" * 10_000_001)

        supervise(ProcessSpec("sleeper", ("sleep", "60"), tmp_path))

        assert (tmp_path / "logs/sleeper.log.1").stat().st_size == 10_000_001
        assert (tmp_path / "logs/sleeper.log").stat().st_size == 0


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells children of a parent's death"
)
class TestDeathOfTheSupervisor:
    def test_kill_9_leaves_nothing_behind(self, tmp_path):
        script = (
            "import sys, time; sys.path.insert(0, sys.argv[1])\n"
            "from pathlib import Path\n"
            "from runtime.supervisor import ProcessSpec, Supervisor\n"
            "here = Path(sys.argv[2])\n"
            f"specs = [ProcessSpec(n, (sys.executable, '-c', {_STUBBORN!r}), here) for n in 'ab']\n"
            "supervisor = Supervisor(specs, here)\n"
            "supervisor.start()\n"
            "print(supervisor.pid('a'), supervisor.pid('b'), flush=True)\n"
            "time.sleep(60)\n"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", script, str(PROJECT), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        _until(lambda: all((tmp_path / f"{name}.log").read_text() == "ready\n" for name in "ab"))

        parent.kill()
        parent.communicate()

        _until(lambda: not any(processes.command_line(pid) for pid in pids))


class TestCheckPort:
    def test_names_a_busy_port(self):
        with stack.socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with pytest.raises(stack.PortError, match=f"Port {port} is in use by another program"):
                stack.check_port(port)
