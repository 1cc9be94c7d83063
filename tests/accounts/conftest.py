"""The cast: Alice, who administers an account, and others with other roles; Charlie belongs elsewhere."""

from __future__ import annotations

import datetime as dt
import time
from types import SimpleNamespace

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.test import Client

from accounts import tokens
from accounts.models import Account, ApiToken, Membership, Role, User
from accounts.tokens import Terms
from tests.api.conftest import Caller

NOW = dt.datetime(2026, 11, 22, 6, tzinfo=dt.UTC)


def member(account: Account, name: str, role: Role, **fields: object) -> Membership:
    user = User.objects.create_user(f"{name}@example.com", "correct horse battery", **fields)
    return Membership.objects.create(account=account, user=user, role=role)


@pytest.fixture(autouse=True)
def code_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The authenticator app's half minute does not end between showing a code and typing it in."""
    now = time.time()
    monkeypatch.setattr(totp, "time", SimpleNamespace(time=lambda: now))


@pytest.fixture
def alice(account: Account) -> Membership:
    return member(account, "alice", Role.ADMIN)


@pytest.fixture
def edith(account: Account) -> Membership:
    return member(account, "edith", Role.EDITOR)


@pytest.fixture
def victor(account: Account) -> Membership:
    return member(account, "victor", Role.VIEWER)


@pytest.fixture
def charlie(other_account: Account) -> Membership:
    return member(other_account, "charlie", Role.ADMIN)


@pytest.fixture
def admin_token(account: Account, admin_user: User) -> tuple[ApiToken, Caller]:
    """A token of the operator Alice with the role admin, and the program that holds it."""
    row, plain = tokens.issue(account, admin_user, Terms("ci", Role.ADMIN), actor="set-up")
    return row, Caller(plain, Client(raise_request_exception=False))
