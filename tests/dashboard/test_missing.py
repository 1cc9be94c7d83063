"""What was never fetched has no figure and no green badge on any page, and says why."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import replace

import pytest
from django.db import transaction

from costs.ingest import Window, replace_window
from costs.models import DayDigest
from dashboard.models import Dashboard, SavedView, Tile
from integrations.models import Report
from tests.api.conftest import DAY, record, store, stored_connection
from tests.api.test_usage import read_usage
from tests.dashboard.conftest import figures_in, today

SETTLED = "complete and settled"
STEPS = "See what Claude costs you"
FIRST_DAY = 40
OLD = 100


def days_ago(first: int, last: int = 1) -> list[dt.date]:
    """Days by how many days ago they were, oldest first."""
    return [today() - age * DAY for age in range(first, last - 1, -1)]


def custom(first: int, last: int) -> str:
    return f"range=custom&from={days_ago(first)[0]}&to={days_ago(last)[0]}"


def through_today() -> str:
    return f"from={days_ago(1)[0]}&to={today() + DAY}"


@pytest.fixture
def connection(account):
    """Forty days of the bill, of which each cost a dollar."""
    found = stored_connection(account, wanted_from=days_ago(FIRST_DAY)[0])
    store(found, *(record(day, "1", model="opus") for day in days_ago(FIRST_DAY)))
    return found


def store_keys(connection, days: list[dt.date]) -> None:
    """Store the same dollars by key, as the analytics report has them."""
    Report.objects.get_or_create(
        connection=connection, report_name="analytics_cost", kind="cost", is_bill=True, wanted_from=days_ago(FIRST_DAY)[0]
    )  # fmt: skip
    rows = [
        replace(record(day, "1", model="opus", api_key_id="apikey_1"), source="analytics_cost")
        for day in days
    ]
    moment = dt.datetime.combine(today() + 60 * DAY, dt.time(), dt.UTC)
    with transaction.atomic():
        replace_window(Window(connection.pk, "analytics_cost", frozenset(days), moment, moment, None), rows)


class TestNothingConnected:
    @pytest.mark.parametrize("path", ["/", "/explore/", "/usage/"])
    def test_every_page_of_figures_shows_the_first_steps(self, admin, visit, path):
        text = visit(admin).get(path).text

        assert STEPS in text
        assert SETTLED not in text
        assert figures_in(text) == []


class TestIds:
    def test_of_connections_are_the_same_in_capitals(self, viewer, visit, connection):
        text = visit(viewer).get(f"/explore/?range=7d&connection={str(connection.pk).upper()}").text

        assert SETTLED in text
        assert "not stored" not in text


class TestOutsideTheHistory:
    @pytest.mark.parametrize("path", ["/explore/", "/models/opus/"])
    def test_there_is_no_figure_but_a_reason(self, viewer, visit, connection, path):
        text = visit(viewer).get(f"{path}?{custom(OLD, OLD - 5)}").text

        assert SETTLED not in text
        assert '<span class="state">not stored</span>' in text
        assert "before the history of the plan. A plan with a longer history reads them." in text
        assert figures_in(text.split("<details")[0]) == []

    def test_of_usage_there_is_none(self, viewer, visit, connection):
        text = visit(viewer).get("/usage/").text

        assert "No usage is stored for these days, so there are no counts." in text
        assert figures_in(text.split('id="chart-title"')[0]) == []

    def test_the_chart_says_so(self, viewer, visit, connection):
        text = visit(viewer).get(f"/explore/?{custom(OLD, OLD - 5)}").text

        assert "nothing is stored." in text

    def test_a_tile_says_so(self, viewer, visit, connection, account):
        view = SavedView.objects.create(
            account=account, owner=viewer, name="Old", query=custom(OLD, OLD - 5), is_shared=True
        )
        dashboard = Dashboard.objects.create(account=account, owner=viewer, name="Mine", is_shared=True)
        tile = Tile.objects.create(dashboard=dashboard, view=view, position=1)

        text = visit(viewer).get(f"/dashboards/{dashboard.pk}/tiles/{tile.pk}/").text

        assert "not stored" in text
        assert "before the history of the plan" in text
        assert "$" not in text

    def test_the_files_of_the_page_have_no_amounts(self, viewer, visit, connection):
        client = visit(viewer)

        table = _rows(client.get(f"/explore/table.csv?{custom(OLD, OLD - 5)}"))
        chart = _rows(client.get(f"/explore/chart.csv?{custom(OLD, OLD - 5)}"))

        assert [(row["Cost (USD)"], row["State"]) for row in table] == [("", "missing")]
        assert {(row["Total (USD)"], row["State"]) for row in chart} == {("", "missing")}

    def test_what_was_known_before_the_first_sync_is_nothing(self, viewer, visit, connection):
        DayDigest.objects.update(first_stored_at=dt.datetime.combine(today(), dt.time(), dt.UTC))

        text = visit(viewer).get(f"/explore/?range=7d&as_of={days_ago(2)[0]}").text

        assert "Nothing of these days had been stored here by then" in text
        assert SETTLED not in text


class TestNoUsageStored:
    """The bill is there, and no report of usage: tokens are unknown, which is not zero."""

    def test_the_page_has_no_tokens(self, viewer, visit, connection):
        text = visit(viewer).get("/explore/?range=7d").text

        assert "sort=-tokens" not in text
        assert "$ per M" not in text

    def test_the_file_has_no_tokens(self, viewer, visit, connection):
        table = _rows(visit(viewer).get("/explore/table.csv?range=7d"))

        assert table[-1]["Cost (USD)"] == "7.00"
        assert "Tokens" not in table[-1]

    def test_a_rate_is_said_to_lack_them(self, viewer, visit, connection):
        text = visit(viewer).get("/explore/?range=7d&metric=usd_per_million").text

        assert "No usage is stored for these days: dollars are shown." in text

    def test_days_without_usage_are_named_though_the_others_used_nothing(self, viewer, visit, connection):
        read_usage(connection, *days_ago(3), tokens=0)

        text = visit(viewer).get("/explore/?range=7d").text

        assert "Cost per million tokens is too high: usage is not stored for every connection yet on" in text


class TestPartlyStored:
    def test_the_total_is_said_to_be_of_the_stored_days(self, viewer, visit, connection):
        text = visit(viewer).get(f"/explore/?{custom(FIRST_DAY + 2, FIRST_DAY - 1)}").text

        assert "of the stored days; 2 of 4 missing" in text
        assert "2 of 4 bars lack days that are not stored." in text
        assert "not every day is stored" in text
        assert SETTLED not in text

    def test_no_change_is_stated_when_the_range_itself_has_gaps(self, viewer, visit, connection):
        DayDigest.objects.filter(day=days_ago(3)[0]).delete()

        text = visit(viewer).get("/explore/?range=7d").text

        assert "No comparison: not every day of" in text

    def test_with_every_day_the_badge_is_green(self, viewer, visit, connection):
        assert SETTLED in visit(viewer).get("/explore/?range=7d").text


class TestOneOfTwoLacksADay:
    """Two connections, of which one lacks a day: their groups are not parts of the same days."""

    @pytest.fixture(autouse=True)
    def patchy(self, account, connection):
        other = stored_connection(account, 2, wanted_from=days_ago(FIRST_DAY)[0])
        store(other, *(record(day, "1", model="opus") for day in days_ago(FIRST_DAY)))
        DayDigest.objects.filter(connection=other, day=days_ago(3)[0]).delete()

    @pytest.mark.parametrize("path", ["/", "/explore/"])
    def test_no_group_has_a_share(self, viewer, visit, path):
        text = visit(viewer).get(f"{path}?range=7d").text

        assert "opus" in text
        assert 'class="share"' not in text

    @pytest.mark.parametrize("path", ["/", "/explore/"])
    def test_each_has_one_of_days_that_both_have(self, viewer, visit, path):
        assert 'class="share"' in visit(viewer).get(f"{path}?{custom(7, 5)}").text


class TestDaysThatAreNotOver:
    """A dollar a day until yesterday; today was not read."""

    def test_are_not_compared_with_whole_ones(self, viewer, visit, connection):
        text = visit(viewer).get(f"/explore/?{through_today()}").text

        assert "No comparison: not every day of" in text
        assert "is read to its end." in text

    def test_have_no_average(self, viewer, visit, connection):
        text = visit(viewer).get(f"/explore/?{through_today()}").text

        assert "not every day is read to its end" in text
        assert "over 2 days" not in text

    def test_are_those_too_that_were_last_read_at_noon(self, viewer, visit, connection):
        noon = dt.datetime.combine(days_ago(1)[0], dt.time(12), dt.UTC)
        DayDigest.objects.filter(day=noon.date()).update(as_of=noon)

        text = visit(viewer).get("/explore/?range=7d").text

        assert "No comparison: not every day of" in text
        assert "not every day is read to its end" in text

    def test_once_over_are_compared_and_averaged(self, viewer, visit, connection):
        text = visit(viewer).get("/explore/?range=7d").text

        assert "No comparison" not in text
        assert "over 7 days" in text


class TestReportsOnTheirWay:
    """The bill of two weeks is there, the report that names keys for the last one only."""

    @pytest.fixture
    def connection(self, connection):
        store_keys(connection, days_ago(7))
        return connection

    def test_keys_are_not_called_new(self, viewer, visit, connection):
        text = visit(viewer).get("/explore/movers/?range=7d").text

        assert "New and gone" not in text
        assert (
            "Not looked at: the report that states person and API key is not stored on some of the days compared."
            in text
        )

    def test_groups_by_key_are_not_compared(self, viewer, visit, connection):
        text = visit(viewer).get("/explore/?range=7d&group_by=api_key_id").text

        assert (
            "No comparison: the report that states API key is not stored on some of the days compared."
            in text
        )

    def test_a_report_that_has_not_come_for_any_day_explains_nothing(self, viewer, visit, connection):
        DayDigest.objects.filter(source="analytics_cost").delete()

        moved = visit(viewer).get("/explore/movers/?range=7d").text
        groups = visit(viewer).get("/explore/?range=7d&group_by=api_key_id").text

        assert "Not looked at: the report that states person and API key is not stored" in moved
        assert "is not stored for every day yet: what it will name is in the line without one." in groups
        assert 'class="share"' not in groups

    def test_groups_of_which_some_days_say_nothing_have_no_share(self, viewer, visit, connection):
        client = visit(viewer)

        assert 'class="share"' not in client.get("/explore/?range=30d&group_by=api_key_id").text
        assert 'class="share"' in client.get("/explore/?range=7d&group_by=api_key_id").text

    def test_a_page_of_a_key_lacks_the_days_without_its_report(self, viewer, visit, connection):
        text = visit(viewer).get("/keys/apikey_1/?range=30d").text

        assert "of the stored days; 23 of 30 missing" in text

    def test_with_the_report_of_both_weeks_keys_come_and_go(self, viewer, visit, connection):
        store_keys(connection, days_ago(14, 9))
        store(connection, *(record(day, "0") for day in days_ago(8, 8)))
        store_keys(connection, days_ago(8, 8))

        text = visit(viewer).get("/explore/movers/?range=7d").text

        assert "Not looked at" not in text


def _rows(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
