"""
Every address there is, asked by an admin of another account: what belongs to Zanzibar does not exist for Charlie.

A new route is walked by itself. One with a new kind of id fails until PARTS says which of Zanzibar's objects it
names, or NO_OBJECT why it names none.
"""

from __future__ import annotations

import datetime as dt
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.internal.flows import login
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts import invitations, tokens
from accounts.invitations import Offer
from accounts.models import Account, Membership, Role, User
from accounts.permissions import rows_of
from accounts.tokens import Terms
from dashboard import entities
from dashboard.models import Dashboard, SavedView, Tile
from tests.accounts.test_permissions import OWNED
from tests.accounts.test_settings_pages import bare
from tests.api.conftest import record, store, stored_connection
from workers.models import Lane, SyncRun, Trigger

MARK = "zanzibar"
# Parts of an address that name no object of an account, and what to put there.
NO_OBJECT = {"dimension": "model"}
# Parts that name something of a person, whichever account they act for.
OF_A_SIGN_IN = {"pk", "session_id", "provider_id"}
# Whoever has such a link may use it: it is a secret of its own, with tests of its own.
SECRET_LINKS = {"invitation", "account_reset_password_from_key"}
# The operators' pages show every account, to operators.
NOT_WALKED = {"admin"}
# A value inside of SQL: a text, a number, and what stands for a savepoint's own name.
VALUE = re.compile(r"'(?:[^']|'')*'(?:::\w+)?|\b\d+\b|\"s\d+_x\d+\"")
METHODS = ("get", "post", "patch", "delete")
QUERIES = ("", "?from=2026-11-01&to=2026-11-08", "?range=12m", "?connection={connection_id}")


def routes(found: URLResolver, before: str = "") -> Iterator[tuple[str, str | None]]:
    for entry in found.url_patterns:
        here = before + str(entry.pattern).lstrip("^").rstrip("$")
        if isinstance(entry, URLPattern):
            yield here, entry.name
        elif entry.app_name not in NOT_WALKED:
            yield from routes(entry, here)


def is_file(route: str) -> bool:
    """Whether it answers with rows of the database as they are sent."""
    return "/exports/" in route or route.endswith("audit.csv")


ALL = [route for route, name in routes(get_resolver()) if name not in SECRET_LINKS]
WITH_PARTS = [route for route in ALL if "<" in route]
WITHOUT = [route for route in ALL if "<" not in route]


def parts_of(route: str) -> list[str]:
    return re.findall(r"<(?:\w+:)?(\w+)>", route)


def filled(route: str, values: dict[str, Any]) -> str:
    plain = re.sub(r"\(\?P<provider_id>(\w+)\)", r"\1", route)
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: str({**NO_OBJECT, **values}[part[1]]), plain)


def somebody(account: Account, email: str) -> Membership:
    """An admin who never uses a password, so that no time is spent on hashing one."""
    return Membership.objects.create(account=account, user=User.objects.create_user(email), role=Role.ADMIN)


@pytest.fixture
def zanzibar(db) -> dict[str, Any]:
    """An account with one of everything, each with the mark in its name; by the part of an address that names it."""
    account = Account.objects.create(name="Zanzibar Ltd")
    amina = somebody(account, "amina@zanzibar.example")
    main = stored_connection(
        account, label="Zanzibar production", organization_id="org-zanzibar", organization_name="Zanzibar Org",
        cost_center="Zanzibar R&D",
    )  # fmt: skip
    store(
        main,
        record(
            dt.date(2026, 11, 3), "4711.4711", workspace_id="zanzibar-1", api_key_id="zanzibar-1",
            actor_id="zanzibar-1", model="zanzibar-1",
        ),
    )  # fmt: skip
    lane = Lane.objects.create(
        organization_id="org-zanzibar", family="admin", level_us=0, level_at=timezone.now()
    )
    run = SyncRun.objects.create(
        connection=main, lane=lane, trigger=Trigger.FORCE, priority=10, from_day=dt.date(2026, 11, 1),
        to_day=dt.date(2026, 11, 4), detail="Zanzibar failed",
    )  # fmt: skip
    view = SavedView.objects.create(account=account, owner=amina.user, name="Zanzibar view", is_shared=True)
    board = Dashboard.objects.create(account=account, owner=amina.user, name="Zanzibar board", is_shared=True)
    tile = Tile.objects.create(dashboard=board, view=view, position=1)
    token, _ = tokens.issue(account, amina.user, Terms("Zanzibar token", Role.VIEWER), actor="amina")
    invited = invitations.invite(
        account,
        Offer("new@zanzibar.example", Role.VIEWER),
        invited_by=amina.user,
        actor="amina",
        now=timezone.now(),
    )
    factor = Authenticator.objects.create(user=amina.user, type="webauthn", data={"name": "Zanzibar key"})
    session = UserSession.objects.create(
        user=amina.user, ip="203.0.113.5", session_key="s", user_agent="Zanzibar"
    )
    return {
        "connection_id": main.pk, "run_id": run.pk, "view_id": view.pk, "dashboard_id": board.pk,
        "tile_id": tile.pk, "public_id": token.public_id, "token_id": token.public_id, "invitation_id": invited.pk,
        "membership_id": amina.pk, "pk": factor.pk, "session_id": session.pk, "value": "zanzibar-1",
    }  # fmt: skip


def asks_for(mine: Membership) -> Client:
    """A browser, signed in a moment ago, and a program of one person, in one: each address takes what it knows."""
    _, plain = tokens.issue(mine.account, mine.user, Terms("mine", Role.ADMIN), actor=mine.user.email)
    client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {plain}"})
    client.force_login(mine.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    shown = {"method": "password", "at": time.time(), "reauthenticated": True}
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [shown]
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(mine.user_id)
    session["account_id"] = str(mine.account_id)
    session.save()
    return client


@pytest.fixture
def charlie_asks(other_account: Account) -> Client:
    """Somebody of another account."""
    return asks_for(somebody(other_account, "charlie@example.com"))


@pytest.fixture
def amina_asks_elsewhere(zanzibar: dict[str, Any], other_account: Account) -> Client:
    """Zanzibar's own admin, who belongs to another account as well and acts for that one now."""
    amina = User.objects.get(memberships=zanzibar["membership_id"])
    # Also what is hers alone, and was not shared with anybody.
    SavedView.objects.update(is_shared=False)
    Dashboard.objects.update(is_shared=False)
    return asks_for(Membership.objects.create(account=other_account, user=amina, role=Role.ADMIN))


def everything_of(connection_id: uuid.UUID) -> dict[str, list[Any]]:
    """Every row of the account, to see that nothing of it was touched."""
    account = Account.objects.get(connections=connection_id)
    rows = {model.__name__: list(rows_of(account, model).order_by("pk").values()) for model in OWNED}
    return {
        **rows,
        "factors": list(Authenticator.objects.values()),
        "sessions": list(UserSession.objects.values()),
    }


def ask(client: Client, method: str, address: str) -> Any:
    """Send what the address takes: JSON to the API, a form to a page; what is in it comes after whether it is there."""
    if method in {"post", "patch"} and address.startswith("/api/"):
        return getattr(client, method)(address, b"{}", content_type="application/json")
    return getattr(client, method)(address)


def asking(client: Client, route: str, values: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """Ask an address in every way; return the answers and what the database was asked, without the values."""
    with CaptureQueriesContext(connection) as captured:
        answers = [ask(client, method, filled(route, values)) for method in METHODS]
    return answers, [VALUE.sub("?", query["sql"]) for query in captured.captured_queries]


def read(client: Client, address: str) -> tuple[int, str]:
    """Return status and text of an answer, read to its end before anybody asks again; a binary file as far as it is text."""
    answer = client.get(address, follow=True)
    return answer.status_code, (answer.getvalue() if answer.streaming else answer.content).decode(
        errors="replace"
    )


def nobodys(values: dict[str, Any]) -> dict[str, Any]:
    return {name: uuid.uuid4() if isinstance(value, uuid.UUID) else 987_654 for name, value in values.items()}


class TestAddressOfAnObject:
    @pytest.mark.parametrize(
        "route", [route for route in WITH_PARTS if not {*parts_of(route)} <= {*NO_OBJECT}]
    )
    def test_does_not_exist_for_another_account(self, charlie_asks, zanzibar, route):
        unknown = {*parts_of(route)} - {*zanzibar} - {*NO_OBJECT} - {"provider_id"}
        assert not unknown, f"Say in this test what {unknown} names."
        before = everything_of(zanzibar["connection_id"])
        # What is noted at most once a minute (last use of token and session) is noted now.
        charlie_asks.get("/settings/tokens/"), charlie_asks.get("/api/v1/connections/")

        (theirs, asked_of_theirs), (nothing, asked_of_nothing) = (
            asking(charlie_asks, route, values) for values in (zanzibar, nobodys(zanzibar))
        )

        # Not by its answer and not by the time it takes: the database is asked the same questions.
        assert asked_of_theirs == asked_of_nothing != []
        assert {answer.status_code for answer in theirs} <= {404, 405}
        assert [answer.status_code for answer in theirs] == [answer.status_code for answer in nothing]
        assert [bare(answer) for answer in theirs] == [bare(answer) for answer in nothing]
        assert everything_of(zanzibar["connection_id"]) == before


class TestEveryOtherAddress:
    @pytest.mark.parametrize(
        "route",
        [
            # A file is read in a transaction of its own, which cannot be inside the test's.
            pytest.param(route, marks=pytest.mark.django_db(transaction=True)) if is_file(route) else route
            for route in [*WITHOUT, *(r for r in WITH_PARTS if {*parts_of(r)} <= {*NO_OBJECT})]
        ],
    )
    def test_tells_nothing_of_another_account(self, charlie_asks, zanzibar, route):
        address = filled(route, zanzibar)

        answers = [read(charlie_asks, address + query.format(**zanzibar)) for query in QUERIES]

        texts = " ".join(text for _, text in answers)
        # Of what was asked for, the id of the connection may come back; nothing else of it.
        assert 500 not in {status for status, _ in answers}
        assert [mark for mark in (MARK, "4711.4711", "4,711") if mark in texts.lower()] == []

    def test_is_more_than_a_few(self):
        assert len(ALL) > 90

    def test_would_be_noticed(self, zanzibar):
        """The marks are there to be found: the account's own admin reads them on every list."""
        client = Client()
        client.force_login(Membership.objects.get(pk=zanzibar["membership_id"]).user)

        pages = {path: client.get(path).content.decode().lower() for path in (
            "/connections/", "/settings/people/", "/settings/tokens/", "/settings/audit/", "/views/", "/dashboards/",
            "/explore/?range=12m", *(f"/{kind}/zanzibar-1/" for kind in entities.DIMENSIONS),
        )}  # fmt: skip

        assert [path for path, text in pages.items() if MARK not in text] == []


class TestPersonOfTwoAccounts:
    """What she keeps in one account does not exist while she acts for the other; her sign-in is hers in both."""

    MARKS = ("zanzibar production", "zanzibar org", "zanzibar r&amp;d", "zanzibar view", "zanzibar board",
             "zanzibar token", "zanzibar-1", "new@zanzibar", "4711.4711", "4,711")  # fmt: skip

    @pytest.mark.parametrize(
        "route",
        [route for route in WITH_PARTS if not {*parts_of(route)} <= {*NO_OBJECT} | OF_A_SIGN_IN],
    )
    def test_finds_no_object_of_the_other_account(self, amina_asks_elsewhere, zanzibar, route):
        before = everything_of(zanzibar["connection_id"])

        answers = [ask(amina_asks_elsewhere, method, filled(route, zanzibar)) for method in METHODS]

        assert {answer.status_code for answer in answers} <= {404, 405}
        after = everything_of(zanzibar["connection_id"])
        assert {name for name in after if after[name] != before[name]} <= {"sessions"}

    @pytest.mark.parametrize("route", [route for route in WITHOUT if "/exports/" not in route])
    def test_reads_nothing_of_the_other_account(self, amina_asks_elsewhere, zanzibar, route):
        addresses = [filled(route, zanzibar) + query.format(**zanzibar) for query in QUERIES]

        texts = " ".join(read(amina_asks_elsewhere, address)[1] for address in addresses).lower()

        assert [mark for mark in self.MARKS if mark in texts] == []


def test_operators_are_the_only_ones_left_out():
    assert {config.label for config in apps.get_app_configs()} >= NOT_WALKED
