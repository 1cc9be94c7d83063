"""The ring changes while web and workers are busy: nothing that was asked for is lost, and nobody is called for."""

from __future__ import annotations

import base64
import json
import threading
import urllib.error
import urllib.request

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db.models import Sum

from accounts import tokens
from accounts.models import Role
from accounts.tokens import Terms
from costs.models import CostFact
from integrations.models import Connection, Credential, Status
from tests.flows.conftest import eventually
from tests.ports import free_port
from workers import lifecycle
from workers.lifecycle import NewConnection
from workers.models import SyncRun

pytestmark = [pytest.mark.flow, pytest.mark.django_db(transaction=True)]

SLUGS = ("acorn-studio", "birch-logistics", "dormant-labs")
NEW = ("k-new", b"n" * 32)


def text_of(ring) -> str:
    """The ring as the environment variable writes it."""
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in ring)


def connect_all(account, simulator) -> list[Connection]:
    keys = {each["slug"]: each["admin_key"] for each in simulator.organisations()}
    return [lifecycle.connect(account, NewConnection(keys[slug]), actor="alice") for slug in SLUGS]


class Caller(threading.Thread):
    """
    A program that asks the API without a pause until it is told to stop: it looks, tests stored keys, replaces them.

    What opens a sealed key and what seals one anew both meet the rotation; what only looks must not notice it.
    """

    def __init__(self, port: int, token: str, keys: dict[Connection, str]) -> None:
        super().__init__(daemon=True)
        self._base = f"http://127.0.0.1:{port}/api/v1/"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._keys = keys
        self._end = threading.Event()
        self.tests: list[dict] = []
        self.looks = 0
        self.replaced = 0
        self.refused: list[tuple[str, int, str]] = []

    def run(self) -> None:
        while not self._end.is_set():
            for connection, key in self._keys.items():
                path = f"connections/{connection.pk}/"
                self.tests += self._ask("POST", f"{path}test/", {})
                self.looks += len(self._ask("GET", path)) + len(self._ask("GET", "connections/"))
                self.replaced += len(self._ask("POST", f"{path}rotate-key/", {"api_key": key}))

    def _ask(self, method: str, path: str, body: dict | None = None) -> list[dict]:
        """Return the answer, or nothing when it was refused; then it is written down."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, self._headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [json.load(answer)]
        except urllib.error.HTTPError as error:
            self.refused.append((path, error.code, json.load(error)["code"]))
            return []

    def end(self) -> None:
        self._end.set()
        self.join(60)


def is_live(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/live", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_loses_no_request_while_everything_runs(account, admin_user, simulator, engine, settings):
    """Three backfills run and a program asks without a pause, while the active key changes to and fro."""
    old = django_settings.CREDENTIAL_KEYS[0]
    rings = [(NEW, old), (old, NEW)]
    settings.CREDENTIAL_KEYS = rings[0]
    connections = connect_all(account, simulator)
    _, token = tokens.issue(account, admin_user, Terms("t", Role.ADMIN), actor="set-up")
    ring = {"CREDENTIAL_KEYS": text_of(rings[0])}
    port = free_port()
    engine.web(port, **ring)
    eventually(lambda: is_live(port), "the web process answers")
    engine.beat(**ring)
    [engine.worker(**ring) for _ in range(2)]
    known = {each["slug"]: each["admin_key"] for each in simulator.organisations()}
    caller = Caller(port, token, dict(zip(connections, (known[slug] for slug in SLUGS), strict=True)))
    caller.start()
    rotations = 0

    def rotate_until_done() -> bool:
        nonlocal rotations
        settings.CREDENTIAL_KEYS = rings[rotations % 2]
        call_command("rotate_credentials")
        rotations += 1
        return not SyncRun.objects.exclude(status=SyncRun.Status.SUCCEEDED).exists()

    eventually(rotate_until_done, "every backfill ends")
    eventually(lambda: len(caller.tests) >= 30 and caller.replaced >= 3, "the program has asked often")
    caller.end()

    unfit = [answer for answer in caller.tests if not answer["ok"]]
    # The one answer that is no failure: two askers met in the bucket of one organisation.
    assert [answer for answer in unfit if answer["reason"] != "rate_limited"] == []
    assert [refusal for refusal in caller.refused if refusal[2] != "rate_limited"] == []
    assert caller.looks >= 2 * len(caller.tests) - 2
    assert {run.failures for run in SyncRun.objects.all()} == {0}
    assert "fetch_failed" not in engine.read_logs()
    assert rotations > 5
    assert {each.status for each in Connection.objects.all()} == {Status.ACTIVE}
    for connection in connections:
        run = SyncRun.objects.get(connection=connection)
        truth = simulator.truth(connection.organization_id, run.from_day, run.to_day)
        stored = CostFact.objects.filter(connection=connection).aggregate(sum=Sum("amount_usd"))["sum"]
        assert (stored or 0) == truth.total_usd


def test_a_worker_with_the_old_ring_calls_for_nobody_and_another_one_does_the_work(
    account, simulator, engine, settings
):
    """Half of a rolling restart: web seals under the new key already, and one worker has not heard of it."""
    old = django_settings.CREDENTIAL_KEYS[0]
    engine.beat()
    engine.worker(CREDENTIAL_KEYS=text_of((old,)))
    # From now on it would refuse to start.
    eventually(lambda: "ready" in engine.read_logs(), "the old worker runs")
    settings.CREDENTIAL_KEYS = (NEW, old)
    connection = connect_all(account, simulator)[0]

    eventually(lambda: SyncRun.objects.filter(reason="key_unreadable").exists(), "the old worker has tried")
    connection.refresh_from_db()
    before = connection.status
    engine.worker(CREDENTIAL_KEYS=text_of((NEW, old)))
    eventually(
        lambda: not SyncRun.objects.exclude(status=SyncRun.Status.SUCCEEDED).exists(),
        "the new worker does it",
    )

    connection.refresh_from_db()
    assert before != Status.ERROR
    assert connection.status == Status.ACTIVE
    assert set(Credential.objects.values_list("key_id", flat=True)) == {"k-new"}


class TestStart:
    """A process whose ring cannot open what is stored ends at once, and says which key it wants."""

    @pytest.fixture
    def connection(self, account, simulator) -> Connection:
        return connect_all(account, simulator)[0]

    @pytest.mark.parametrize("name", ["web", "worker"])
    def test_is_refused_without_a_ring_key_that_is_in_use(self, connection, engine, name):
        wrong = {"CREDENTIAL_KEYS": text_of((NEW,))}
        process = engine.web(free_port(), **wrong) if name == "web" else engine.worker(**wrong)

        status = process.wait(timeout=60)

        old = django_settings.CREDENTIAL_KEYS[0][0]
        assert status != 0
        assert f"CREDENTIAL_KEYS lacks key '{old}'" in engine.read_logs()

    def test_does_not_wait_for_a_database_that_is_away(self, db, engine):
        port = free_port()

        engine.web(port, DATABASE_URL="postgres://nobody@127.0.0.1:1/none")

        eventually(lambda: is_live(port), "the web process answers, and says 503 where it needs the database")
        assert "ring_not_checked" in engine.read_logs()
