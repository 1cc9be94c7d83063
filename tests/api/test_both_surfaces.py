"""Sums over a Console and a claude.ai connection: whose rows are told as whose, and whose reports are named."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import transaction

from costs.ingest import Window, replace_window
from costs.models import Resource, ResourceName
from costs.records import CostRecord, Origin
from tests.api.conftest import record, store, stored_connection, utc

FIRST = dt.date(2026, 10, 1)
OCTOBER = {"from": "2026-10-01", "to": "2026-11-01"}


def workspace(connection, resource_id: str, name: str, **fields) -> None:
    resource = Resource.objects.create(
        connection=connection, kind="workspace", resource_id=resource_id, **fields
    )
    ResourceName.objects.create(resource=resource, name=name, valid_from=utc("2026-10-01"))


@pytest.fixture
def console(account):
    connection = stored_connection(account, cost_center="API")
    workspace(connection, "wrkspc_0", "Default", is_default=True)
    store(
        connection,
        record(FIRST, "5", description="d"),
        record(FIRST, "2", workspace_id="wrkspc_1", model="a"),
    )
    return connection


@pytest.fixture
def members(account):
    connection = stored_connection(
        account, 2, origin="claude_ai", cost_source="enterprise_cost", cost_center="Seats"
    )
    moment = utc("2026-12-01")
    rows = [
        CostRecord(day=FIRST, origin=Origin.CLAUDE_AI, source="enterprise_cost", amount_usd=Decimal(amount), model=model)
        for amount, model in (("30", "a"), ("3", "b"))
    ]  # fmt: skip
    with transaction.atomic():
        replace_window(
            Window(connection.pk, "enterprise_cost", frozenset({FIRST}), moment, moment, None), rows
        )
    return connection


def groups(viewer, **query) -> list[tuple[str | None, ...]]:
    rows = viewer.get("costs/summary/", **OCTOBER, **query).json()["rows"]
    return [(*row["group"].values(), row["amount_usd"]) for row in rows]


class TestWorkspaces:
    def test_of_claude_ai_are_no_workspace_in_a_sum_as_in_its_rows(self, viewer, console, members):
        assert groups(viewer, group_by="workspace_id") == [
            (None, None, "33.00"), (None, "Default", "5.00"), ("wrkspc_1", None, "2.00"),
        ]  # fmt: skip

    def test_are_the_same_under_the_names_of_each_day(self, viewer, console, members):
        assert groups(viewer, group_by="workspace_id", names="as_of_day") == [
            (None, None, "33.00"), (None, "Default", "5.00"), ("wrkspc_1", None, "2.00"),
        ]  # fmt: skip

    def test_null_selects_every_row_without_one(self, viewer, console, members):
        answer = viewer.get("costs/summary/", **OCTOBER, workspace_id="null").json()
        rows = viewer.get("costs/", **OCTOBER, workspace_id="null").json()["results"]

        assert answer["total_usd"] == "38.00"
        assert sum(Decimal(row["amount_usd"]) for row in rows) == 38

    def test_groups_that_read_the_same_are_one(self, viewer, console, members):
        """Without the names of workspaces nothing tells the default one from none."""
        Resource.objects.all().delete()

        assert groups(viewer, group_by="workspace_id") == [(None, None, "38.00"), ("wrkspc_1", None, "2.00")]


class TestTwins:
    @pytest.fixture
    def twins(self, console):
        for number, fields in (("1", {}), ("2", {"archived_at": utc("2026-10-02")}), ("3", {})):
            workspace(console, f"wrkspc_{number}", "Claude Code", **fields)
        rows = [record(FIRST, amount, workspace_id=f"wrkspc_{amount}") for amount in "123"]
        store(console, *rows)
        return console

    def test_are_told_apart_beside_their_ids(self, viewer, twins):
        assert groups(viewer, group_by="workspace_id") == [
            ("wrkspc_3", "Claude Code · …pc_3", "3.00"),
            ("wrkspc_2", "Claude Code · archived", "2.00"),
            ("wrkspc_1", "Claude Code · …pc_1", "1.00"),
        ]

    def test_keep_their_name_where_nothing_else_has_it(self, viewer, twins):
        assert groups(viewer, group_by="workspace_id", workspace_id="wrkspc_2") == [
            ("wrkspc_2", "Claude Code", "2.00")
        ]

    def test_connections_of_one_label_are_told_apart(self, viewer, console, members):
        type(console).objects.filter(pk=members.pk).update(
            label=console.label, disconnected_at=utc("2026-11-02")
        )

        assert [group[1] for group in groups(viewer, group_by="connection")] == [
            "Connection 1 · disconnected", "Connection 1",
        ]  # fmt: skip


class TestReports:
    @pytest.mark.parametrize(
        ("narrowed", "named"),
        [
            ({}, {"cost_report", "enterprise_cost"}),
            ({"origin": "claude_ai"}, {"enterprise_cost"}),
            ({"cost_center": "API"}, {"cost_report"}),
            ({"source": "cost_report"}, {"cost_report"}),
        ],
    )
    def test_are_those_that_the_sum_is_read_from(self, viewer, console, members, narrowed, named):
        answer = viewer.get("costs/summary/", **OCTOBER, group_by="actor_id", **narrowed).json()

        assert {*answer["sources"]} == named
        assert {*answer["not_reported"].get("actor_id", [])} == named - {"enterprise_cost"}

    def test_of_one_connection_are_its_own(self, viewer, console, members):
        answer = viewer.get("costs/summary/", **OCTOBER, connection=str(console.pk)).json()

        assert answer["sources"] == ["cost_report"]
