"""What is one group in a sum though it is stored in several ways, and what is two though it is stored alike."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import transaction

from costs import selectors
from costs.ingest import Window, replace_window
from costs.models import Resource
from costs.named import make_distinct
from costs.records import CostRecord, Origin
from costs.selectors import CostQuery
from costs.values import API_KEYS, no_workspace
from costs.variance import read_group_deltas
from foundation.periods import DayRange
from integrations.models import Connection
from tests.costs.test_ingest import DAYS, MONDAY, T0, make_connection, put, record

WEEK = DayRange(MONDAY, max(DAYS))
NOTHING = DayRange(MONDAY, MONDAY)
CLAUDE_AI = no_workspace(Origin.CLAUDE_AI)


def member(amount: str, **dimensions: str) -> CostRecord:
    """A row of claude.ai, which has no workspaces."""
    return CostRecord(
        day=MONDAY,
        origin=Origin.CLAUDE_AI,
        source="enterprise_cost",
        amount_usd=Decimal(amount),
        **dimensions,
    )


def put_members(account, *records: CostRecord) -> Connection:
    connection = Connection.objects.create(
        account=account, origin="claude_ai", label="Members", organization_id="o9", backfill_days=365,
        wanted_from="2025-11-01", cost_source="enterprise_cost",
    )  # fmt: skip
    with transaction.atomic():
        replace_window(Window(connection.pk, "enterprise_cost", DAYS, as_of=T0, observed_at=T0), records)
    return connection


@pytest.fixture
def both(account) -> CostQuery:
    console = make_connection(account)
    Resource.objects.create(
        connection=console, kind="workspace", resource_id="wrkspc_default", is_default=True
    )
    put(
        console,
        record("5", workspace_id=None, model="a"),
        record("4", workspace_id="wrkspc_default", model="b"),
        record("2", workspace_id="w1", model="a"),
    )
    put_members(account, member("30", actor_type="user_actor", actor_id="u1"))
    return CostQuery(account.pk, WEEK)


def by_workspace(query: CostQuery) -> dict[str | None, Decimal]:
    sums = selectors.summarise(query, group_by=["workspace_id"])
    return {row.group["workspace_id"]: row.amount_usd for row in sums.rows}


def narrowed(query: CostQuery, **filters: list[str | None]) -> CostQuery:
    return CostQuery(query.account_id, query.days, filters)


class TestWorkspaces:
    def test_of_claude_ai_are_none_and_not_the_default_one(self, both):
        assert by_workspace(both) == {CLAUDE_AI: 30, None: 9, "w1": 2}

    def test_are_the_same_where_two_ranges_are_compared(self, both):
        moved = read_group_deltas(both, NOTHING, ["workspace_id"])

        assert {each.key[0]: each.now_usd for each in moved.cells} == by_workspace(both)

    def test_are_the_same_beside_a_model(self, both):
        sums = selectors.summarise(both, group_by=["workspace_id", "origin"])

        assert {tuple(row.group.values()) for row in sums.rows} == {
            (CLAUDE_AI, "claude_ai"), (None, "claude_platform"), ("w1", "claude_platform"),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("wanted", "amount"),
        [
            ([None], 9),
            (["wrkspc_default"], 9),
            ([CLAUDE_AI], 30),
            ([None, CLAUDE_AI], 39),
            (["w1", CLAUDE_AI], 32),
            (["w1"], 2),
        ],
    )
    def test_can_be_asked_for_one_by_one(self, both, wanted, amount):
        assert selectors.total(narrowed(both, workspace_id=wanted)) == amount

    def test_are_listed_to_choose_from(self, both):
        assert set(selectors.filter_values(both, "workspace_id")) == {None, "w1", CLAUDE_AI}

    def test_of_a_report_that_states_none_are_not_the_default_one_either(self, account):
        """Only the report by product knows products, and it knows no workspaces."""
        console = make_connection(account)
        put(console, record("5"))
        serving = CostRecord(
            day=MONDAY, origin=Origin.CLAUDE_PLATFORM, source="analytics_cost_serving", amount_usd=Decimal(5),
            product="chat",
        )  # fmt: skip
        with transaction.atomic():
            window = Window(console.pk, "analytics_cost_serving", DAYS, as_of=T0, observed_at=T0)
            replace_window(window, [serving])

        asked = narrowed(CostQuery(account.pk, WEEK), product=["chat"])

        assert by_workspace(asked) == {no_workspace(Origin.CLAUDE_PLATFORM): 5}


class TestActors:
    @pytest.fixture
    def acting(self, account) -> CostQuery:
        put_members(
            account,
            member("7", actor_type="user_actor", actor_id="u1"),
            member("5", actor_type="api_actor", actor_id="k1"),
            member("4", actor_type="api_actor", actor_id="k2"),
            member("1"),
        )
        return CostQuery(account.pk, WEEK, keys_as_one=True)

    def test_are_people_and_all_keys_as_one_when_asked(self, acting):
        sums = selectors.summarise(acting, group_by=["actor_id"])

        assert {row.group["actor_id"]: row.amount_usd for row in sums.rows} == {API_KEYS: 9, "u1": 7, None: 1}

    def test_are_each_on_their_own_otherwise(self, acting):
        sums = selectors.summarise(CostQuery(acting.account_id, WEEK), group_by=["actor_id"])

        assert {row.group["actor_id"] for row in sums.rows} == {"u1", "k1", "k2", None}

    @pytest.mark.parametrize(
        ("wanted", "amount"), [([API_KEYS], 9), (["u1"], 7), (["u1", API_KEYS], 16), ([None], 1), (["k2"], 4)]
    )
    def test_can_be_asked_for(self, acting, wanted, amount):
        assert selectors.total(narrowed(acting, actor_id=wanted)) == amount


class TestToldApart:
    def test_leaves_names_alone_that_nothing_else_has(self):
        assert make_distinct({"a": "Search", "b": "Legal"}, {"a": "archived"}) == {
            "a": "Search",
            "b": "Legal",
        }

    def test_says_what_tells_two_of_one_name_apart(self):
        named = {"a": "Claude Code", "b": "Claude Code", "c": "Legal"}

        assert make_distinct(named, {"b": "archived"}) == {
            "a": "Claude Code", "b": "Claude Code · archived", "c": "Legal",
        }  # fmt: skip

    def test_takes_the_end_of_the_id_where_no_mark_is_enough(self):
        named = dict.fromkeys(("wrkspc_live", "wrkspc_old1", "wrkspc_old2"), "Claude Code")

        assert make_distinct(named, {"wrkspc_old1": "archived", "wrkspc_old2": "archived"}) == {
            "wrkspc_live": "Claude Code",
            "wrkspc_old1": "Claude Code · archived · …old1",
            "wrkspc_old2": "Claude Code · archived · …old2",
        }

    def test_takes_more_of_ids_that_end_alike(self):
        assert make_distinct({"a-1111": "Twin", "b-1111": "Twin"}) == {
            "a-1111": "Twin · a-1111", "b-1111": "Twin · b-1111"
        }  # fmt: skip
