"""Groups that would read the same, or as one another: in table, legend, filter, chips and files."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils.html import escape

from costs.ingest import Window, replace_window
from costs.models import Resource, ResourceName
from costs.records import CostRecord, Origin
from dashboard import labels
from tests.api.conftest import stored_connection
from tests.dashboard.conftest import today

CLAUDE_AI = "claude.ai (no workspace)"
KEYS = "API keys (not a person)"
LINES = "range=7d&compare=none"


def cost(amount: str, source: str, **dimensions: str) -> CostRecord:
    origin = Origin.CLAUDE_AI if source.startswith("enterprise") else Origin.CLAUDE_PLATFORM
    return CostRecord(
        day=today() - dt.timedelta(days=2), origin=origin, source=source, amount_usd=Decimal(amount), **dimensions
    )  # fmt: skip


def put(connection, *records: CostRecord) -> None:
    moment = dt.datetime.combine(today(), dt.time(), dt.UTC)
    window = Window(connection.pk, records[0].source, frozenset({records[0].day}), moment, moment, None)
    with transaction.atomic():
        replace_window(window, records)


def resource(connection, kind: str, resource_id: str, name: str, **fields) -> None:
    made = Resource.objects.create(connection=connection, kind=kind, resource_id=resource_id, **fields)
    ResourceName.objects.create(
        resource=made, name=name, valid_from=dt.datetime.combine(today(), dt.time(), dt.UTC)
    )


@pytest.fixture
def console(account):
    connection = stored_connection(account, cost_source="analytics_cost")
    resource(connection, "workspace", "wrkspc_0", "Default", is_default=True)
    archived_at = dt.datetime.combine(today(), dt.time(), dt.UTC)
    resource(connection, "workspace", "wrkspc_live", "Claude Code")
    resource(connection, "workspace", "wrkspc_old1", "Claude Code", archived_at=archived_at)
    resource(connection, "workspace", "wrkspc_old2", "Claude Code", archived_at=archived_at)
    for name in ("ci", "bot"):
        resource(connection, "api_key", f"key_{name}", name)
    resource(connection, "person", "user_1", "Cem Okafor")
    put(
        connection,
        cost("1", "analytics_cost", workspace_id="wrkspc_live", actor_type="user_actor", actor_id="user_1"),
        cost("2", "analytics_cost", workspace_id="wrkspc_old1", actor_type="api_actor", actor_id="key_ci", api_key_id="key_ci"),
        cost("4", "analytics_cost", workspace_id="wrkspc_old2", actor_type="api_actor", actor_id="key_bot", api_key_id="key_bot"),
        cost("8", "analytics_cost"),
    )  # fmt: skip
    return connection


@pytest.fixture
def members(account):
    connection = stored_connection(account, 2, origin="claude_ai", cost_source="enterprise_cost")
    put(connection, cost("16", "enterprise_cost", actor_type="user_actor", actor_id="user_2"))
    return connection


@pytest.fixture
def ask(viewer, visit, console, members):
    client = visit(viewer)
    return lambda address: client.get(address).text


def table_of(text: str) -> dict[str, str]:
    lines = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    return {next(iter(line.values())): line["Cost (USD)"] for line in lines}


WORKSPACES = {
    CLAUDE_AI: "16.00",
    "Default": "8.00",
    "Claude Code · archived · …old2": "4.00",
    "Claude Code · archived · …old1": "2.00",
    "Claude Code": "1.00",
}


class TestWorkspaces:
    def test_read_the_same_in_file_legend_and_filter(self, ask):
        page = ask(f"/explore/?{LINES}&group_by=workspace_id")
        legend = re.findall(r'data-series="\d+"><span class="swatch[^>]*></span>([^<]+)<', page)
        values = re.findall(r'<span class="grow">([^<]+)</span>', ask("/explore/filters/workspace_id/"))

        found = table_of(ask(f"/explore/table.csv?{LINES}&group_by=workspace_id"))
        assert found == {**WORKSPACES, "Total": "31.00"}
        assert legend == values == list(WORKSPACES)

    def test_head_the_columns_of_the_chart(self, ask):
        head = ask(f"/explore/chart.csv?{LINES}&group_by=workspace_id").splitlines()[0]

        assert [name in head for name in WORKSPACES] == [True] * len(WORKSPACES)

    def test_of_claude_ai_have_a_page_that_is_not_the_default_one(self, ask):
        text = ask("/workspaces/~claude_ai/?range=7d")

        assert f"<h1>{CLAUDE_AI}</h1>" in text
        assert 'value="16.00"' in text

    def test_default_one_holds_nothing_of_claude_ai(self, ask):
        found = table_of(ask(f"/explore/table.csv?{LINES}&group_by=none&workspace_id=null"))

        assert found["Total"] == "8.00"

    def test_lead_from_a_line_to_what_it_counts(self, ask):
        page = ask(f"/explore/?{LINES}&group_by=workspace_id")
        link = re.search(rf'<a href="([^"]+)"[^>]*>(?:<[^>]*>)*{re.escape(CLAUDE_AI)}', page)[1]

        assert table_of(ask(link.replace("&amp;", "&").replace("/explore/", "/explore/table.csv")))["Total"] == "16.00"  # fmt: skip

    def test_are_told_apart_on_the_overview(self, ask):
        text = ask("/overview/?range=7d")

        assert [escape(name) in text for name in WORKSPACES] == [True] * len(WORKSPACES)

    def test_are_the_same_in_the_table_of_usage(self, account, console):
        names = labels.names(account.pk, ["workspace_id"])

        assert names.label("workspace_id", "wrkspc_old1") == "Claude Code · archived · …old1"
        assert names.label("workspace_id", "~claude_ai") == CLAUDE_AI


class TestPeople:
    def test_are_listed_with_all_keys_as_one_line(self, ask):
        found = table_of(ask(f"/explore/table.csv?{LINES}&group_by=actor_id"))

        assert found == {
            "user_2": "16.00", "No person": "8.00", KEYS: "6.00", "Cem Okafor": "1.00", "Total": "31.00",
        }  # fmt: skip

    def test_line_of_keys_opens(self, ask):
        page = ask(f"/explore/?{LINES}&group_by=actor_id")
        link = re.search(rf'<a href="([^"]+)"[^>]*>(?:<[^>]*>)*{re.escape(KEYS)}', page)[1]

        opened = table_of(ask(link.replace("&amp;", "&").replace("/explore/", "/explore/table.csv")))
        assert opened == {"bot": "4.00", "ci": "2.00", "Total": "6.00"}

    def test_can_be_narrowed_to_all_keys(self, ask):
        assert re.findall(r'<span class="grow">([^<]+)</span>', ask("/explore/filters/actor_id/?range=7d")) == [
            "user_2", "No person", KEYS, "Cem Okafor",
        ]  # fmt: skip

    def test_keys_are_listed_by_name_where_they_were_asked_for(self, ask):
        found = table_of(ask(f"/explore/table.csv?{LINES}&group_by=actor_id&actor_type=api_actor"))

        assert found == {"bot (API key)": "4.00", "ci (API key)": "2.00", "Total": "6.00"}

    def test_are_people_in_the_chart_as_well(self, ask):
        page = ask(f"/explore/?{LINES}&group_by=actor_id")
        document = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])

        assert [series["label"] for series in document["series"]] == ["user_2", "No person", KEYS, "Cem Okafor"]  # fmt: skip


class TestConnections:
    def test_of_one_label_are_told_apart(self, account, console, members):
        type(console).objects.filter(pk=members.pk).update(
            label=console.label, disconnected_at=dt.datetime.combine(today(), dt.time(), dt.UTC)
        )

        names = labels.names(account.pk, ["connection"])

        assert names.label("connection", str(members.pk)) == "Connection 1 · disconnected"
        assert names.label("connection", str(console.pk)) == "Connection 1"


class TestNotes:
    def test_speak_of_claude_ai_only_where_it_is_asked_about(self, ask):
        both = ask(f"/explore/?{LINES}&group_by=api_key_id")
        console_only = ask(f"/explore/?{LINES}&group_by=api_key_id&origin=claude_platform")

        assert ["claude.ai (Enterprise) knows no" in text for text in (both, console_only)] == [True, False]
