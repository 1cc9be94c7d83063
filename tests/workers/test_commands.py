"""The commands of the shell, called as Django calls them; the engine is driven in this process."""

from __future__ import annotations

import io
import json
import threading

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import connection as database

from accounts.bootstrap import ensure_admin
from integrations.models import Connection
from workers import lifecycle
from workers.bucket import redis_client
from workers.models import SyncRun, Trigger

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(simulator, monkeypatch) -> str:
    ensure_admin()
    value = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    monkeypatch.setenv("THE_KEY", value)
    return value


@pytest.fixture
def engine(run_due):
    """Drives the engine beside a command that waits for it."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(0.1):
                run_due()
        finally:
            database.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


class TestConnect:
    def test_follows_the_backfill_to_its_end(self, key, engine, capsys):
        call_command("connect", "--key-env", "THE_KEY", "--label", "Main", "--json")

        printed = json.loads(capsys.readouterr().out)
        assert (printed["label"], printed["status"]) == ("Main", "active")

    def test_reads_the_key_from_standard_input(self, key, monkeypatch, capsys):
        monkeypatch.setattr("sys.stdin", io.StringIO(key + "\n"))

        call_command("connect", "--key-stdin", "--no-follow")

        assert capsys.readouterr().out.strip() == str(Connection.objects.get().pk)

    def test_has_no_option_that_takes_a_key(self):
        with pytest.raises(CommandError, match="required"):
            call_command("connect", "--label", "x")

    @pytest.mark.parametrize(
        ("value", "words"),
        [("", "no key in"), ("hello", "key_malformed"), ("sk-ant-admin01-nope", "key_rejected")],
    )
    def test_refuses_in_words(self, simulator, monkeypatch, value, words):
        monkeypatch.setenv("THE_KEY", value)

        with pytest.raises(CommandError, match=words):
            call_command("connect", "--key-env", "THE_KEY")

    def test_fails_when_the_backfill_needs_a_person(self, key, simulator, engine):
        simulator.fault("revoked", path="/v1/organizations/cost_report", after=2, times=-1)

        with pytest.raises(CommandError, match="refused this key"):
            call_command("connect", "--key-env", "THE_KEY")


class TestSync:
    def test_waits_for_the_end(self, connect, engine, capsys):
        connection = connect(label="Main")

        call_command("sync", "--connection", "Main", "--wait", "--json")

        assert json.loads(capsys.readouterr().out)["status"] == "succeeded"
        assert SyncRun.objects.filter(connection=connection, trigger=Trigger.FORCE).count() == 1

    def test_takes_a_range(self, connect):
        connect(label="Main")

        call_command("sync", "--connection", "Main", "--from", "2026-03-01", "--to", "2026-03-05")

        run = SyncRun.objects.get(trigger=Trigger.FORCE)
        assert (str(run.from_day), str(run.to_day)) == ("2026-03-01", "2026-03-05")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--connection", "Nobody"), "names 0 connections"),
            (("--connection", "Main", "--from", "2026-03-01"), "both --from and --to"),
            (("--connection", "Main", "--from", "x", "--to", "y"), "YYYY-MM-DD"),
            (("--connection", "Main", "--from", "2026-03-05", "--to", "2026-03-01"), "YYYY-MM-DD"),
        ],
    )
    def test_refuses_in_words(self, connect, arguments, words):
        connect(label="Main")

        with pytest.raises(CommandError, match=words):
            call_command("sync", *arguments)

    def test_refuses_a_paused_connection(self, connect):
        lifecycle.pause(connect(label="Main"), actor="alice")

        with pytest.raises(CommandError, match="Resume it first"):
            call_command("sync", "--connection", "Main")


class TestDoctor:
    def findings(self, capsys) -> dict[str, dict[str, str]]:
        with pytest.raises(SystemExit) as ended:
            call_command("doctor", "--json")
        assert ended.value.code == 1
        return {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}

    def test_says_what_is_missing_and_what_to_do(self, simulator, capsys):
        found = self.findings(capsys)

        assert found["workers"]["remedy"].startswith("Start one")
        assert found["database"]["remedy"] == found["redis"]["remedy"] == found["upstream"]["remedy"] == ""

    def test_does_not_count_the_workers_of_another_database_of_redis(self, simulator, capsys):
        pool = redis_client().connection_pool
        elsewhere = {**pool.connection_kwargs, "db": (int(pool.connection_kwargs.get("db", 0)) + 7) % 16}
        other = redis.Redis(
            connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **elsewhere)
        )
        waiting = threading.Thread(target=other.brpop, args=(["somebody-elses-work"], 30))
        waiting.start()
        try:
            while not any(
                each["cmd"] == "brpop" and each["db"] == str(elsewhere["db"]) for each in other.client_list()
            ):
                assert waiting.is_alive()

            found = self.findings(capsys)
        finally:
            other.lpush("somebody-elses-work", "done")
            waiting.join()

        assert found["workers"]["remedy"].startswith("Start one")

    def test_names_broken_connections_and_missing_ring_keys(self, connect, simulator, settings, capsys):
        connection = connect()
        simulator.fault("revoked", times=-1)
        lifecycle.check_connection(connection, actor="alice")
        settings.CREDENTIAL_KEYS = (("other", b"0" * 32),)
        settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:1"

        found = self.findings(capsys)

        assert connection.label in found["connections"]["remedy"]
        assert "lacks key" in found["key ring"]["seen"]
        assert "ANTHROPIC_BASE_URL" in found["upstream"]["remedy"]
