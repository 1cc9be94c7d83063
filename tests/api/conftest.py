"""A fixed cast: Alice's account with a token of each role, Charlie's with an admin's; and a caller for each."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts import tokens
from accounts.models import Account, Membership, Role, User
from accounts.tokens import Terms
from costs.ingest import Window, replace_window
from costs.models import CostFact
from costs.records import CostRecord, Origin
from devtools.simulator.keys import key_text
from integrations.models import Connection, Report, Status
from workers import lifecycle
from workers.lifecycle import NewConnection

DAY = dt.timedelta(days=1)
# The token, its owner's membership with the account, its last use.
SIGN_IN_QUERIES = 3
ACORN = "acorn-studio"
BIRCH = "birch-logistics"


@dataclass
class Caller:
    """Speaks to the API with one token; `body` becomes JSON, other keywords become the query."""

    token: str | None
    client: Client

    def __call__(self, method: str, path: str, body: Any = None, headers: Any = None, **query: Any) -> Any:
        sent = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **(headers or {})}
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.generic(method, f"/api/v1/{path}", headers=sent, query_params=query, **data)

    def get(self, path: str, **query: Any) -> Any:
        return self("GET", path, **query)

    def post(self, path: str, body: Any = None, **headers: Any) -> Any:
        return self("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})


def caller(account: Account, role: Role, owner: User) -> Caller:
    _, plain = tokens.issue(account, owner, Terms(f"{role}'s", role), actor="set-up")
    return Caller(plain, Client(raise_request_exception=False))


@pytest.fixture
def admin(account, admin_user) -> Caller:
    return caller(account, Role.ADMIN, admin_user)


@pytest.fixture
def editor(account, admin_user) -> Caller:
    return caller(account, Role.EDITOR, admin_user)


@pytest.fixture
def viewer(account, admin_user) -> Caller:
    return caller(account, Role.VIEWER, admin_user)


@pytest.fixture
def nobody() -> Caller:
    return Caller(None, Client(raise_request_exception=False))


@pytest.fixture
def charlie(other_account) -> Caller:
    user = User.objects.create_user("charlie@example.com", "correct horse battery")
    Membership.objects.create(account=other_account, user=user, role=Role.ADMIN)
    return caller(other_account, Role.ADMIN, user)


@pytest.fixture(autouse=True)
def one_report(bill_only: None) -> None:
    """Most of what follows needs the bill only; tests of all reports are in tests/sources."""


@pytest.fixture
def acorn_key() -> str:
    return key_text(ACORN)


@pytest.fixture
def connected(account, simulator) -> Connection:
    """A connection to the simulator, its backfill queued."""
    return lifecycle.connect(account, NewConnection(api_key=key_text(ACORN)), actor="alice")


def stored_connection(account: Account, number: int = 1, **fields: Any) -> Connection:
    """A connection with its one report as rows only, for tests that never ask upstream."""
    connection = Connection.objects.create(
        **{
            "account": account,
            "origin": "claude_platform",
            "label": f"Connection {number}",
            "organization_id": f"org-{account.name}-{number}",
            "organization_name": f"Organisation {number}",
            "key_hint": "sk-ant-admin01-…abcd",
            "status": Status.ACTIVE,
            "backfill_days": 30,
            "wanted_from": dt.date.today() - dt.timedelta(days=fields.get("backfill_days", 30)),  # noqa: DTZ011
            **fields,
        }
    )
    Report.objects.create(
        connection=connection,
        report_name="cost_report",
        kind="cost",
        is_bill=True,
        wanted_from=connection.wanted_from,
    )
    return connection


def record(day: dt.date, amount: str, **dimensions: Any) -> CostRecord:
    return CostRecord(
        day=day,
        origin=Origin.CLAUDE_PLATFORM,
        source="cost_report",
        amount_usd=Decimal(amount),
        **dimensions,
    )


def store(
    connection: Connection, *records: CostRecord, days: Any = None, as_of: Any = None, run: Any = None
) -> None:
    """Write the days of the records (or the given ones) as read at `as_of`, by default long after."""
    covered = frozenset(days or {one.day for one in records})
    moment = as_of or dt.datetime.combine(max(covered) + 60 * DAY, dt.time(), dt.UTC)
    with transaction.atomic():
        replace_window(Window(connection.pk, "cost_report", covered, moment, moment, run), records)
    assert CostFact.objects.filter(connection=connection).exists() or not records


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The problem document of an answer, checked to be one."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document.keys() >= {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert document["status"] == status
    return document


def pointers(document: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in document["errors"]]


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def no_collected_files(settings: Any, tmp_path: Any) -> None:
    """Static files are served from the apps; WhiteNoise warns about a collection that is not there."""
    settings.STATIC_ROOT = str(tmp_path)
