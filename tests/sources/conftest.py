"""A Console and an Enterprise organisation, connected and filled in this process from the simulator."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Account, Plan
from foundation.periods import DayRange
from integrations.models import Connection
from workers import lifecycle
from workers.clock import database_now
from workers.lifecycle import NewConnection

CONSOLE, ENTERPRISE = "acorn-studio", "acorn-studio.enterprise"


@pytest.fixture
def key_of(simulator) -> Callable[[str], str]:
    """The key of a simulated organisation's surface."""

    def find(organisation: str) -> str:
        known = simulator.organisations(organisation=organisation)[0]
        return str(known["enterprise_members_key" if known["is_enterprise"] else "admin_key"])

    return find


@pytest.fixture
def filled(account: Account, simulator, run_due, key_of) -> Callable[..., Connection]:
    """Connect an organisation and read everything it has; the Free plan unless told otherwise."""

    def connect(organisation: str, plan: str = Plan.FREE) -> Connection:
        account.plan = plan
        account.save(update_fields=["plan"])
        connection = lifecycle.connect(account, NewConnection(key_of(organisation)), actor="alice")
        run_due()
        connection.refresh_from_db()
        return connection

    return connect


@pytest.fixture
def days() -> DayRange:
    """Thirty days that have ended."""
    today = database_now().date()
    return DayRange(today - dt.timedelta(days=30), today)


def decimals(groups: dict[Any, Any]) -> dict[Any, Any]:
    """The groups that are not zero: reports leave those out."""
    return {key: value for key, value in groups.items() if value}
