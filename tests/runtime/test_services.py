"""Who uses whose servers: given ones, those of a running command, own ones; real processes throughout."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.postgres import Postgres
from runtime.services import AlreadyRunningError, attach_or_start, current

PROJECT = Path(__file__).resolve().parents[2]
_HOLDER = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from runtime.services import attach_or_start
with attach_or_start(Path(sys.argv[2]), durable=False, name=sys.argv[3]) as services:
    services.publish(address="http://127.0.0.1:8000/", has_workers=True)
    print(services.environment()["DATABASE_URL"], flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def hold(project):
    """Start another process that holds this folder's servers; it ends when its input does."""
    holders = []

    def start(name):
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(PROJECT), str(project), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        holders.append(holder)
        holder.url = holder.stdout.readline().strip()
        return holder

    yield start
    for holder in holders:
        holder.communicate(timeout=60)


class TestGiven:
    def test_both_given_starts_nothing(self, project, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "postgres://u@h/d")
        monkeypatch.setenv("REDIS_URL_FILE", "/run/redis")

        with attach_or_start(project, durable=True, name="shell") as services:
            assert services.servers == []
            assert set(services.environment()) == {"SECRET_KEY", "CREDENTIAL_KEYS", "TALLYSTICK_HOME"}

    def test_secrets_given_leaves_no_others_in_a_file(self, project, monkeypatch):
        monkeypatch.setenv("SECRET_KEY", "s")
        monkeypatch.setenv("CREDENTIAL_KEYS_FILE", "/run/ring")
        monkeypatch.setenv("DATABASE_URL", "postgres://u@h/d")
        monkeypatch.setenv("REDIS_URL", "redis://h/0")

        with attach_or_start(project, durable=True, name="shell") as services:
            assert set(services.environment()) == {"TALLYSTICK_HOME"}
        assert not (project / ".tallystick/secrets.env").exists()

    def test_one_given_starts_the_other(self, project, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "postgres://u@h/d")

        with attach_or_start(project, durable=False, name="test") as services:
            assert [server.name for server in services.servers] == ["Valkey"]
            assert "DATABASE_URL" not in services.environment()

    def test_demo_never_meets_given_servers(self, project, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "postgres://u@h/real")
        monkeypatch.setenv("REDIS_URL", "redis://h/0")

        with attach_or_start(project, durable=False, name="demo") as services:
            assert set(services.environment()) >= {"DATABASE_URL", "REDIS_URL"}


class TestThrowAway:
    def test_leaves_nothing_and_never_repeats_a_secret(self, project):
        secrets = set()
        for _ in range(2):
            with attach_or_start(project, durable=False, name="test") as services:
                secrets.add(services.environment()["CREDENTIAL_KEYS"])
                pids = [server.pid for server in services.servers]

        assert len(secrets) == 2
        assert all(pids)
        assert not list((project / ".tallystick").glob("tallystick-*"))
        assert not (project / ".tallystick/secrets.env").exists()

    def test_removes_what_a_killed_command_left(self, project, hold):
        killed = hold("test")
        killed.kill()
        killed.wait()
        left = list((project / ".tallystick").glob("tallystick-*"))

        with attach_or_start(project, durable=False, name="test"):
            assert left
            assert not left[0].exists()


class TestPersistent:
    def test_keeps_data_and_secrets_from_one_command_to_the_next(self, project):
        with attach_or_start(project, durable=False, name="shell") as services:
            first = services.environment()
            marker = services.find(Postgres).data / "PG_VERSION"
            made_at = marker.stat().st_mtime_ns

        with attach_or_start(project, durable=False, name="shell") as services:
            assert services.environment() == first
            assert marker.stat().st_mtime_ns == made_at

    def test_attaches_to_the_command_that_runs_here(self, project, hold):
        holder = hold("up")

        with attach_or_start(project, durable=True, name="issue_token") as services:
            assert services.servers == []
            assert services.environment()["DATABASE_URL"] == holder.url
            assert services.attached_to.has_workers

    def test_starts_its_own_when_the_record_was_left_by_a_killed_command(self, project, hold):
        holder = hold("up")
        holder.kill()
        holder.wait()

        with attach_or_start(project, durable=False, name="shell") as services:
            assert (project / ".tallystick/run.json").exists()
            assert len(services.servers) == 2

    def test_a_command_that_ends_keeps_its_servers_for_its_guests(self, project, hold):
        holder = hold("shell")

        with attach_or_start(project, durable=True, name="issue_token") as services:
            holder.stdin.close()
            with pytest.raises(subprocess.TimeoutExpired):
                holder.wait(1)
            assert services.attached_to.pid == holder.pid
        assert holder.wait(30) == 0
        holder.stdin = None

    def test_test_ignores_a_running_up(self, project, hold):
        holder = hold("up")

        with attach_or_start(project, durable=False, name="test") as services:
            assert services.environment()["DATABASE_URL"] != holder.url


class TestUp:
    def test_a_second_one_is_refused_with_pid_and_address(self, project, hold):
        holder = hold("up")

        with (
            pytest.raises(AlreadyRunningError, match=rf"pid {holder.pid}, http://127.0.0.1:8000/"),
            attach_or_start(project, durable=True, name="up"),
        ):
            pass


class TestCurrent:
    def test_is_known_inside_the_block_only(self, project):
        with attach_or_start(project, durable=False, name="test") as services:
            assert current() is services
        with pytest.raises(RuntimeError, match="python3 manage"):
            current()


class TestSignals:
    def test_sigint_ends_the_servers_with_the_command(self, project, hold):
        holder = hold("up")

        os.kill(holder.pid, signal.SIGINT)
        holder.wait(30)

        assert not (project / ".tallystick/run.json").exists()
        assert not (project / ".tallystick/servers/postgres/postmaster.pid").exists()
