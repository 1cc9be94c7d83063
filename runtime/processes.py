"""Starts and ends single child processes so that none outlives us; decides nothing about restarts."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runtime import child

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Owner:
    """The user and group that a process runs as and that its files belong to."""

    user_id: int
    group_id: int


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: `death_signal` reaches it when this process ends without stopping it."""

    argv: tuple[str, ...]
    log: Path
    folder: Path
    environment: Mapping[str, str] | None = None
    owner: Owner | None = None
    death_signal: signal.Signals = signal.SIGKILL


class _Starter:
    """
    The one thread that starts children.

    The kernel delivers the death signal when the *thread* that forked ends, so a child started from a
    short-lived thread would be killed for no visible reason. This thread lives as long as the process.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._process_id = 0
        self._thread: ThreadPoolExecutor | None = None

    def start(self, program: Program) -> Process:
        with self._guard:
            if self._thread is None or self._process_id != os.getpid():  # a fork leaves threads behind
                self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")
                self._process_id = os.getpid()
            return self._thread.submit(_start, program).result()


_STARTER = _Starter()


def start(program: Program) -> Process:
    """
    Start a program in its own session, output appended to its log, tied to the life of this process.

    Its own session keeps Ctrl-C in the terminal away from it: we decide who ends when.
    """
    return _STARTER.start(program)


def _start(program: Program) -> Process:
    owner = program.owner
    launcher = [
        sys.executable, "-I", "-S", child.__file__,
        str(os.getpid()), str(int(program.death_signal)),
        f"{owner.user_id}:{owner.group_id}" if owner else "-",
    ]  # fmt: skip
    with program.log.open("ab") as log:
        return subprocess.Popen(
            [*launcher, *program.argv],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            cwd=program.folder, env=program.environment, start_new_session=True,
        )  # fmt: skip


def stop(process: Process, number: signal.Signals, *, grace_seconds: float) -> bool:
    """
    Ask with a signal, wait, then kill; True when it ended by itself. Nothing of its group is left.

    A second Ctrl-C while waiting is a person in a hurry: it kills at once and goes on upwards.
    """
    try:
        if process.poll() is None:
            process.send_signal(number)
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        kill(process)
        return False
    except KeyboardInterrupt:
        kill(process)
        raise
    _kill_group(process)
    return True


def kill(process: Process) -> None:
    """End a process and its group with kill -9 and reap it, so that no zombie looks alive."""
    _kill_group(process)
    process.wait()


def _kill_group(process: Process) -> None:
    # The child leads its own session, so its group has its pid, and holds only what it started.
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
        os.killpg(process.pid, signal.SIGKILL)


def tail(log: Path, *, after: int = 0, lines: int = 12) -> str:
    """Give the last lines that a log got behind byte `after`; empty when there are none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(after, log.stat().st_size - 8192))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])


def command_line(process_id: int) -> str:
    """Give the command line of any running process, empty when there is none (a zombie has none)."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            return (
                Path(f"/proc/{process_id}/cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode("utf-8", "replace")
            )
        return ""
    answer = subprocess.run(
        ["ps", "-o", "command=", "-p", str(process_id)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def resident_bytes(process_id: int) -> int:
    """Give the memory that a process holds now, in bytes; 0 where it cannot be known (not Linux, ended)."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        pages = Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0
