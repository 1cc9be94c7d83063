"""Every address there is, asked by nobody, by a browser that is signed in, and by a program with a token."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts import tokens
from accounts.models import Membership, Role
from accounts.tokens import Terms
from tests.accounts.test_url_map import ALL, WITHOUT, filled, is_file, zanzibar

__all__ = ["zanzibar"]  # the account with one of everything

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
DOCUMENTED = {
    path: {int(status) for status in methods["get"]["responses"]} if "get" in methods else {405}
    for path, methods in DOCUMENT["paths"].items()
}
API = [route for route in ALL if route.startswith("api/v1/")]
# The reference and what watches the service: open to everybody.
OPEN = [
    "api/schema/",
    "api/docs/",
    "api/docs/start.js",
    "healthz/live",
    "healthz/ready",
    "healthz/data",
    "metrics",
]
PAGES = [route for route in ALL if not route.startswith("api/") and route not in OPEN]
FROM_OUTSIDE = {
    HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
}  # fmt: skip


def each(routes: list[str]) -> list[Any]:
    """The routes as parameters; a file is read in a transaction of its own, which cannot be inside the test's."""
    own = pytest.mark.django_db(transaction=True)
    return [pytest.param(route, marks=own) if is_file(route) else route for route in routes]


@pytest.fixture
def amina(zanzibar: dict[str, Any]) -> Membership:
    Authenticator.objects.all().delete()  # a passkey in name only, which no device could answer for
    return Membership.objects.select_related("user", "account").get(pk=zanzibar["membership_id"])


@pytest.fixture
def anonymous() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def signed_in(amina: Membership, anonymous: Client) -> Client:
    anonymous.force_login(amina.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return anonymous


@pytest.fixture
def program(amina: Membership) -> Client:
    _, plain = tokens.issue(amina.account, amina.user, Terms("mine", Role.ADMIN), actor="amina")
    return Client(raise_request_exception=False, headers={"authorization": f"Bearer {plain}"})


def status(client: Client, address: str) -> int:
    """The status of an answer that was read to its end: a file holds a transaction until then."""
    answer = client.get(address)
    b"".join(answer.streaming_content if answer.streaming else [])
    return answer.status_code


def documented(route: str) -> set[int]:
    return DOCUMENTED["/" + route.replace("<uuid:", "{").replace(">", "}")]


class TestApi:
    """Each address of it stands in docs/openapi.yaml with the statuses it may have."""

    @pytest.mark.parametrize("route", API)
    def test_asks_anybody_for_a_token(self, anonymous, zanzibar, route):
        assert status(anonymous, filled(route, zanzibar)) == HTTPStatus.UNAUTHORIZED

    @pytest.mark.parametrize("route", API)
    def test_asks_a_browser_that_is_signed_in_for_a_token(self, signed_in, zanzibar, route):
        assert status(signed_in, filled(route, zanzibar)) == HTTPStatus.UNAUTHORIZED

    @pytest.mark.parametrize("route", each(API))
    def test_answers_a_token_as_documented(self, program, zanzibar, route):
        answered = status(program, filled(route, zanzibar))

        assert answered in documented(route)
        assert answered < HTTPStatus.INTERNAL_SERVER_ERROR


class TestReferenceAndHealth:
    @pytest.mark.parametrize("caller", ["anonymous", "signed_in", "program"])
    @pytest.mark.parametrize("route", OPEN)
    def test_is_open(self, request, db, caller, route):
        assert status(request.getfixturevalue(caller), f"/{route}") == HTTPStatus.OK


class TestPages:
    @pytest.mark.parametrize("caller", ["anonymous", "signed_in", "program"])
    @pytest.mark.parametrize("route", each(PAGES))
    def test_is_no_fault(self, request, zanzibar, caller, route):
        assert status(request.getfixturevalue(caller), filled(route, zanzibar)) in FROM_OUTSIDE

    @pytest.mark.parametrize(
        "route", each([route for route in WITHOUT if route.startswith(("explore/", "usage/"))])
    )
    def test_shows_figures_to_who_is_signed_in_only(self, signed_in, zanzibar, route):
        statuses = [status(client, filled(route, zanzibar)) for client in (Client(), signed_in)]

        assert statuses == [HTTPStatus.FOUND, HTTPStatus.OK]
