"""Costs and usage asked for with a body: the same answers as with an address, also where no address would be let through."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts import tokens
from accounts.models import Role
from accounts.tokens import Terms
from tests.api.conftest import DAY, Caller, pointers, problem, record, store, stored_connection, utc

FIRST = utc("2026-10-01").date()
OCTOBER = {"from": "2026-10-01", "to": "2026-11-01"}


@pytest.fixture
def read_only(account, admin_user) -> Caller:
    terms = Terms("reads", Role.VIEWER, is_read_only=True)
    return Caller(
        tokens.issue(account, admin_user, terms, actor="set-up")[1], Client(raise_request_exception=False)
    )


@pytest.fixture
def filled(account) -> Any:
    connection = stored_connection(account)
    store(
        connection,
        *(
            record(
                FIRST + number * DAY,
                f"{number}.5",
                model=f"model-{number % 3}",
                workspace_id=f"wrkspc_{number % 5}",
            )
            for number in range(20)
        ),
        record(FIRST + 21 * DAY, "7"),
    )
    return connection


class TestRows:
    @pytest.mark.parametrize(
        "asked",
        [
            {},
            {"model": ["model-1", "model-2"]},
            {"model": ["null"]},
            {"model": ["model-1", "null"], "workspace_id": ["wrkspc_1"]},
            {"origin": ["claude_platform"], "dimensions": ["model"]},
            {"as_of": "2026-12-31"},
        ],
    )
    def test_are_those_of_the_address(self, read_only, filled, asked):
        found = read_only.post("costs/search/", {**OCTOBER, **asked})

        assert found.status_code == 200, found.content
        assert found.json()["results"] == read_only.get("costs/", **OCTOBER, **asked).json()["results"]

    def test_go_on_where_the_address_of_the_next_page_is_sent_the_same_body(self, read_only, filled):
        body = {**OCTOBER, "model": ["model-0", "model-1"], "page_size": 5}
        first = read_only.post("costs/search/", body).json()
        following = urlsplit(first["next"])

        second = read_only(
            "POST", "costs/search/", body, cursor=following.query.removeprefix("cursor=")
        ).json()

        assert following.path == "/api/v1/costs/search/"
        whole = read_only.get("costs/", **OCTOBER, model=["model-0", "model-1"]).json()["results"]
        assert first["results"] + second["results"] == whole[:10]

    def test_may_be_chosen_by_more_values_than_an_address_holds(self, read_only, filled):
        models = [f"another-model-with-a-long-name-{number}" for number in range(1_000)]

        found = read_only.post("costs/search/", {**OCTOBER, "model": ["model-1", *models]})
        refused = problem(read_only.get("costs/", **OCTOBER, model=["model-1", *models]), 400)

        assert len(found.json()["results"]) == 7
        assert refused["code"] == "query_too_large"
        assert "POST to …/search/" in refused["detail"]

    def test_of_usage_are_those_of_the_address(self, read_only, filled):
        found = read_only.post("usage/search/", {**OCTOBER, "model": ["model-1"]}).json()

        assert found == read_only.get("usage/", **OCTOBER, model="model-1").json()


class TestSums:
    @pytest.mark.parametrize("kind", ["costs", "usage"])
    def test_are_those_of_the_address(self, read_only, filled, kind):
        asked = {
            **OCTOBER,
            "group_by": ["model", "workspace_id"],
            "granularity": "week",
            "model": ["model-1"],
        }

        found = read_only.post(f"{kind}/summary/search/", asked)

        assert found.status_code == 200, found.content
        assert found.json() == read_only.get(f"{kind}/summary/", **asked).json()


class TestRefusals:
    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("model", "model-1"),
            ("model", []),
            ("model", [""]),
            ("model", [1]),
            ("model", None),
            ("model", {"a": "b"}),
            ("model", 7),
            ("page_size", "10"),
            ("page_size", 0),
            ("page_size", True),
            ("connection", []),
            ("dimensions", "model"),
            ("from", ["2026-10-01"]),
            ("as_of", 5),
            ("cursor", "x"),
            ("there_is_none", "x"),
        ],
    )
    def test_name_the_member(self, read_only, filled, member, value):
        answer = read_only.post("costs/search/", {**OCTOBER, member: value})

        assert pointers(problem(answer, 400)) == [f"/{member}"]

    def test_are_of_the_other_account_s_rows_nothing(self, charlie, filled):
        assert charlie.post("costs/search/", OCTOBER).json()["results"] == []

    def test_are_for_who_has_no_token(self, nobody, db):
        problem(nobody.post("costs/search/", OCTOBER), 401)

    def test_are_of_get(self, read_only):
        problem(read_only.get("costs/search/"), 405)
