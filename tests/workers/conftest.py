from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.models import Account
from devtools.simulator.process import Simulator
from integrations.models import Connection
from workers import lifecycle
from workers.lifecycle import NewConnection
from workers.models import Lane


@pytest.fixture(autouse=True)
def one_report(bill_only: None) -> None:
    """The engine is one and the same for every report; tests of all of them are in tests/sources."""


@pytest.fixture
def connect(account: Account, simulator: Simulator) -> Callable[..., Connection]:
    """Connect a simulated organisation; its backfill is queued and nothing of it fetched yet."""

    def make(slug: str = "acorn-studio", **fields: str) -> Connection:
        key = simulator.organisations(organisation=slug)[0]["admin_key"]
        connection = lifecycle.connect(account, NewConnection(key, **fields), actor="alice")
        simulator.clear_requests()
        return connection

    return make


@pytest.fixture
def make_due(transactional_db: None) -> Callable[[], None]:
    """Make every waiting lane and step due, as the passing of time would."""

    def hurry() -> None:
        from workers.clock import database_now
        from workers.models import SyncStep

        Lane.objects.exclude(state=Lane.State.IDLE).update(due_at=database_now())
        SyncStep.objects.update(not_before=None)

    return hurry
