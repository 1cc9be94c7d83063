"""The Charlie test: a second account sees nothing of the first and is told that nothing is there."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction

from config.api_urls import urlpatterns
from costs.ingest import Window, replace_window
from costs.names import record_names
from costs.records import NameRecord, Origin
from costs.tables import ACTIVITY, USAGE
from costs.usage_records import ActivityRecord, UsageRecord
from tests.api.conftest import problem, record, store, utc
from tests.api.test_costs import FIRST, named
from workers.models import SyncRun

RANGE = {"from": "2026-10-01", "to": "2026-11-01"}
OBJECTS = [
    ("GET", "connections/{connection}/", None),
    ("PATCH", "connections/{connection}/", {"label": "Mine"}),
    ("DELETE", "connections/{connection}/?history=erase", None),
    ("POST", "connections/{connection}/test/", {}),
    ("POST", "connections/{connection}/sync/", {}),
    ("POST", "connections/{connection}/rotate-key/", {"api_key": "sk-ant-admin01-x"}),
    ("POST", "connections/{connection}/pause/", {}),
    ("POST", "connections/{connection}/resume/", {}),
    ("GET", "connections/{connection}/runs/", None),
    ("GET", "connections/{connection}/completeness/", None),
    ("GET", "connections/{connection}/generations/", None),
    ("POST", "connections/{connection}/cost-source/", {"cost_source": "analytics_cost"}),
    ("GET", "runs/{run}/", None),
]
LISTS = [
    "connections/",
    "costs/?from=2026-10-01&to=2026-11-01",
    "restatements/",
    "workspaces/",
    "usage/?from=2026-10-01&to=2026-11-01",
    "activity/?from=2026-10-01&to=2026-11-01",
    "api-keys/",
    "people/",
]


@pytest.fixture
def alices(connected):
    """A connection with facts, a restatement and a workspace, besides its queued run."""
    store(connected, record(FIRST, "1", workspace_id="wrkspc_1"))
    store(connected, record(FIRST, "2", workspace_id="wrkspc_1"), as_of=utc("2027-01-01"))
    named(connected, "wrkspc_1", "Secret project")
    told = [NameRecord(kind="api_key", resource_id="apikey_1", name="Secret key"),
            NameRecord(kind="person", resource_id="user_1", name="Secret person")]  # fmt: skip
    record_names(connected.pk, told, observed_at=utc("2026-11-01"))
    place = {"day": FIRST, "origin": Origin.CLAUDE_PLATFORM}
    write(connected, UsageRecord(**place, source="usage_report", output_tokens=1), USAGE)
    activity = ActivityRecord(
        **place, source="claude_code", actor_id="a@b.example", estimated_cost_usd=Decimal(1)
    )
    write(connected, activity, ACTIVITY)
    return connected


def write(connection, one, table):
    moment = utc("2026-12-01")
    window = Window(connection.pk, one.source, frozenset({one.day}), moment, moment, table=table)
    with transaction.atomic():
        replace_window(window, [one])


@pytest.fixture
def ids(alices) -> dict[str, str]:
    return {"connection": str(alices.pk), "run": str(SyncRun.objects.get().pk)}


class TestAnotherAccount:
    @pytest.mark.parametrize(("method", "path", "body"), OBJECTS)
    def test_finds_no_object(self, charlie, ids, method, path, body):
        theirs = problem(charlie(method, path.format(**ids), body), 404)

        nobodys = {name: str(uuid.uuid4()) for name in ids}
        nothing = problem(charlie(method, path.format(**nobodys), body), 404)
        assert {**theirs, "instance": ""} == {**nothing, "instance": ""}

    @pytest.mark.parametrize("path", LISTS)
    def test_lists_nothing(self, charlie, admin, alices, path):
        assert admin.get(path).json()["results"]
        assert charlie.get(path).json() == {"next": None, "previous": None, "results": []}

    @pytest.mark.parametrize("group_by", ["connection", "workspace_id", "model"])
    def test_sums_nothing(self, charlie, alices, group_by):
        summary = charlie.get("costs/summary/", **RANGE, group_by=group_by, compare="previous").json()

        assert (summary["total_usd"], summary["rows"]) == (None, [])

    def test_gets_nothing_by_naming_the_connection(self, charlie, alices):
        costs = charlie.get("costs/", **RANGE, connection=str(alices.pk)).json()
        workspaces = charlie.get("workspaces/", connection=str(alices.pk)).json()
        restatements = charlie.get("restatements/", connection=str(alices.pk)).json()

        assert [costs["results"], workspaces["results"], restatements["results"]] == [[], [], []]

    def test_gets_nothing_with_a_cursor_of_alices(self, charlie, admin, alices):
        store(alices, *(record(FIRST, "1", description=str(n)) for n in range(3)), as_of=utc("2027-01-02"))
        following = admin.get("costs/", **RANGE, page_size=1).json()["next"]
        cursor = parse_qs(urlsplit(following).query)["cursor"][0]

        assert charlie.get("costs/", **RANGE, cursor=cursor).json()["results"] == []

    def test_may_use_the_same_label(self, charlie, alices, acorn_key):
        answer = charlie.post(
            "connections/", {"provider": "anthropic", "api_key": acorn_key, "label": alices.label}
        )

        assert answer.status_code == 201


class TestNobody:
    @pytest.mark.parametrize(("method", "path", "body"), OBJECTS)
    def test_is_asked_for_a_token(self, nobody, db, method, path, body):
        somewhere = {"connection": uuid.uuid4(), "run": uuid.uuid4()}

        answer = nobody(method, path.format(**somewhere), body)

        assert problem(answer, 401)["code"] == "not_authenticated"
        assert answer["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("path", [*LISTS, "costs/summary/"])
    def test_lists_nothing(self, nobody, db, path):
        problem(nobody.get(path), 401)


class TestRoles:
    @pytest.mark.parametrize(("method", "path", "body"), [row for row in OBJECTS if row[0] != "GET"])
    def test_a_viewer_changes_nothing(self, viewer, ids, method, path, body):
        problem(viewer(method, path.format(**ids), body), 403)

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [row for row in OBJECTS if row[0] != "GET" and not row[1].endswith(("}/test/", "/sync/"))],
    )
    def test_an_editor_manages_no_connection(self, editor, ids, method, path, body):
        problem(editor(method, path.format(**ids), body), 403)

    @pytest.mark.parametrize("path", [path for method, path, _ in OBJECTS if method == "GET"])
    def test_a_viewer_reads_everything(self, viewer, ids, path):
        assert viewer.get(path.format(**ids)).status_code == 200


def test_every_address_of_an_object_is_covered():
    addresses = {str(entry.pattern) for entry in urlpatterns if "<uuid:" in str(entry.pattern)}
    covered = {
        "v1/" + path.split("?")[0].format(connection="<uuid:connection_id>", run="<uuid:run_id>")
        for _, path, _ in OBJECTS
    }

    # Those of tokens are the admins' only, and have their own: tests/accounts/test_api.py.
    assert addresses == {*covered, "v1/tokens/<uuid:token_id>/"}


def test_bodies_of_lists_hold_no_key(admin, alices, acorn_key):
    texts = json.dumps([admin.get(path).json() for path in LISTS])

    assert acorn_key not in texts
    assert acorn_key[20:-4] not in texts
