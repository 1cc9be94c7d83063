"""An account with one of everything (see tests/accounts/test_url_map.py), asked by its own admin, who means harm."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import tokens
from accounts.models import Membership, Role
from accounts.tokens import Terms
from tests.accounts.test_url_map import everything_of, zanzibar  # noqa: F401 - a fixture
from tests.api.conftest import Caller, no_collected_files  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Writing and capturing a line for each of thousands of refusals takes longer than the refusals."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def rows_of(world: dict[str, Any]) -> dict[str, list[Any]]:
    """Every row of the account but when somebody was last seen, which looking changes, too."""
    rows = everything_of(world["connection_id"])
    # The page of one's own sign-in forgets sessions that have ended; that somebody tried a key, or exported the log,
    # stands in the log whatever came of it.
    rows["sessions"] = []
    tried = {"audit.exported", "key.tested"}
    rows["AuditEvent"] = [row for row in rows["AuditEvent"] if row["action"] not in tried]
    noted = {"last_used_at", "last_seen_at", "ip"}
    return {
        name: [{key: value for key, value in row.items() if key not in noted} for row in found]
        for name, found in rows.items()
    }


@pytest.fixture
def amina(zanzibar: dict[str, Any]) -> Membership:  # noqa: F811
    """The account's admin: what she may do with good input, bad input must not do."""
    return Membership.objects.get(pk=zanzibar["membership_id"])


@pytest.fixture
def program(amina: Membership) -> Caller:
    """A program with everything an admin may."""
    _, plain = tokens.issue(amina.account, amina.user, Terms("program", Role.ADMIN), actor="set-up")
    return Caller(plain, Client(raise_request_exception=False))


@pytest.fixture
def browser(amina: Membership) -> Client:
    """Amina's browser."""
    client = Client(raise_request_exception=False)
    client.force_login(amina.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def unchanged(zanzibar: dict[str, Any], program: Caller, browser: Client) -> Iterator[None]:  # noqa: F811
    """Compares every row of the account before and after the test."""
    before = rows_of(zanzibar)
    yield
    after = rows_of(zanzibar)
    changed = {
        name: [row for row in after[name] if row not in rows]
        for name, rows in before.items()
        if after[name] != rows
    }
    assert changed == {}
