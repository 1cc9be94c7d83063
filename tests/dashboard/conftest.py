"""A cast of people, and an account with a month of real (simulated) costs."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from accounts.models import Account, Membership, Plan, Role, User
from integrations.models import Connection
from workers import lifecycle
from workers.clock import database_now
from workers.lifecycle import NewConnection


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # Static files come from the apps here; only an installation that collected them has the folder.
            item.add_marker(pytest.mark.filterwarnings("ignore:No directory at"))


def today() -> dt.date:
    """The UTC day, by the clock that the engine goes by."""
    return database_now().date()


def figures_in(text: str) -> list[str]:
    """The exact amounts of a page, in order."""
    return re.findall(r'<data value="([^"]+)"', text)


@pytest.fixture(autouse=True)
def one_report(bill_only: None) -> None:
    """Pages are the same for every report; tests of all of them are in tests/sources."""


@pytest.fixture
def visit() -> Callable[[User | None], Client]:
    """Return a client signed in as somebody."""

    def start(user: User | None = None, **options: object) -> Client:
        client = Client(**options)
        if user is not None:
            client.force_login(user)
        return client

    return start


def member(account: Account, email: str, role: Role) -> User:
    user = User.objects.create_user(email, "correct horse battery")
    Membership.objects.create(account=account, user=user, role=role)
    return user


@pytest.fixture
def viewer(account: Account) -> User:
    return member(account, "victor@example.com", Role.VIEWER)


@pytest.fixture
def editor(account: Account) -> User:
    return member(account, "edith@example.com", Role.EDITOR)


@pytest.fixture
def admin(account: Account) -> User:
    return member(account, "alice@example.com", Role.ADMIN)


@pytest.fixture
def charlie(other_account: Account) -> User:
    """An admin of another account."""
    return member(other_account, "charlie@example.com", Role.ADMIN)


@pytest.fixture
def key_of(simulator) -> Callable[..., str]:
    """Find the key of a simulated organisation by its slug."""
    found = {organisation["slug"]: organisation for organisation in simulator.organisations(limit=10)}
    return lambda slug, kind="admin_key": found[slug][kind]


@pytest.fixture
def connection(account: Account, key_of) -> Connection:
    """A connection whose backfill of thirty days is queued."""
    account.plan = Plan.FREE
    account.save()
    return lifecycle.connect(account, NewConnection(key_of("acorn-studio")), actor="alice@example.com")


@pytest.fixture
def filled(connection: Connection, run_due) -> Connection:
    """The same connection with its thirty days stored."""
    run_due()
    connection.refresh_from_db()
    return connection
