"""A database that has no connection left, starts up, or only reads for now: 503 with when to come again, never 500."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection as database
from django.test import Client

from accounts.models import Account, Role, User
from accounts.sessions import _recently
from tests.api.conftest import Caller, caller, problem

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def away(monkeypatch) -> Iterator[None]:
    """No new connection is given out; the one there was is gone."""
    database.close()
    with monkeypatch.context() as patch:
        patch.setitem(database.settings_dict, "NAME", "there_is_no_such_database")
        yield
        database.close()


@pytest.fixture
def reads_only() -> Iterator[None]:
    """As a standby before it takes over."""
    with database.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    yield
    database.close()


@pytest.fixture
def browser(admin_user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(admin_user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def program(account: Account, admin_user: User) -> Caller:
    return caller(account, Role.VIEWER, admin_user)


class TestPage:
    @pytest.mark.parametrize("address", ["/", "/explore/", "/connections/", "/settings/you/"])
    def test_is_503_without_a_connection(self, browser, away, address):
        answer = browser.get(address)

        assert answer.status_code == 503
        assert answer["Retry-After"] == "5"
        assert "<h1>Not available at the moment</h1>" in answer.content.decode()

    def test_is_503_where_a_view_finds_it_first(self, away):
        answer = Client(raise_request_exception=False).post(
            "/accounts/login/", {"login": "a@b.example", "password": "x"}
        )

        assert answer.status_code == 503

    def test_is_503_where_nothing_can_be_written(self, browser, reads_only):
        _recently._noted.clear()  # or nothing would be written within the minute

        assert browser.get("/").status_code == 503


class TestApi:
    def test_is_503_without_a_connection(self, program, away):
        assert problem(program.get("costs/", **{"from": "2026-11-01", "to": "2026-11-02"}), 503)["code"] == (
            "service_unavailable"
        )

    def test_is_503_where_nothing_can_be_written(self, program, reads_only):
        answer = program.get("workspaces/")

        assert problem(answer, 503)["code"] == "service_unavailable"
        assert answer["Retry-After"] == "5"
