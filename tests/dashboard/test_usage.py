from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from decimal import Decimal

import pytest

from costs import usage
from costs.caching import read_caching
from costs.models import DayDigest, UsageFact
from costs.selectors import CostQuery
from costs.usage_records import TOKEN_COUNTS
from dashboard import figures, ranges
from dashboard.models import Dashboard, SavedView, Tile
from tests.dashboard.conftest import figures_in, today

FEW = 24
USAGE_REPORTS = ("usage_report", "analytics_usage", "analytics_usage_serving")
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def one_report() -> None:
    """Here every report is read: usage is what they tell."""


def of_last_week(connection, **filters) -> CostQuery:
    return CostQuery(connection.account_id, ranges.period("7d", today()).days, filters)


def counts_in(text: str) -> list[int]:
    return [int(value) for value in re.findall(r'<data value="(\d+)"', text)]


def rows_of(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


class TestTotal:
    @pytest.mark.parametrize("granularity", ["day", "week", "cumulative"])
    def test_is_exact_and_what_the_chart_adds_up_to(self, viewer, visit, filled, granularity):
        text = visit(viewer).get(f"/usage/?range=7d&granularity={granularity}").text

        exact = usage.summarise(of_last_week(filled)).totals["total_tokens"]
        chart = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
        drawn = [int(total) for total in chart["totals"]]
        assert counts_in(text)[0] == exact > 0
        assert (drawn[-1] if granularity == "cumulative" else sum(drawn)) == exact

    def test_says_on_which_days_it_lacks_usage_whatever_the_bill_has(self, viewer, visit, filled):
        day = ranges.period("7d", today()).days.start
        DayDigest.objects.filter(source__in=USAGE_REPORTS, day=day).delete()

        text = visit(viewer).get("/usage/?range=7d").text
        later = visit(viewer).get(f"/usage/?range=custom&from={day + DAY}&to={day + 3 * DAY}").text

        assert "1 of 7 days have no usage stored for every connection" in text
        assert "have no usage stored" not in later
        assert "No comparison: not every day of" in later

    def test_makes_a_rate_too_high_where_it_is_missing(self, viewer, visit, filled):
        client, says = visit(viewer), "Cost per million tokens is too high"
        before = client.get("/explore/?range=7d").text
        day = ranges.period("7d", today()).days.start
        DayDigest.objects.filter(source__in=USAGE_REPORTS, day=day).delete()

        text = client.get("/explore/?range=7d").text

        DayDigest.objects.filter(source="cost_report", day=day).delete()
        DayDigest.objects.filter(source="analytics_cost", day=day).delete()
        without_bill = client.get("/explore/?range=7d").text

        assert says not in before + without_bill
        assert f"{says}: usage is not stored for every connection yet on {figures.day(day)}." in text

    @pytest.mark.parametrize("group_by", ["none", "model", "api_key_id", "workspace_id"])
    def test_is_what_the_table_adds_up_to(self, viewer, visit, filled, group_by):
        found = rows_of(visit(viewer).get(f"/usage/table.csv?range=7d&group_by={group_by}&rows=all"))

        exact = usage.summarise(of_last_week(filled)).totals
        for name in TOKEN_COUNTS:
            column = name.replace("_", " ")
            assert sum(int(row[column]) for row in found[:-1]) == int(found[-1][column]) == exact[name]

    def test_follows_filters(self, viewer, visit, filled):
        model = usage.filter_values(of_last_week(filled), "model")[0]

        text = visit(viewer).get(f"/usage/?range=7d&model={model}").text

        exact = usage.summarise(of_last_week(filled, model=[model])).totals["total_tokens"]
        assert counts_in(text)[0] == exact


class TestUnknown:
    def test_groups_and_filters_are_named(self, viewer, visit, filled):
        text = visit(viewer).get("/usage/?range=7d&group_by=cost_type&description=x").text

        assert "No report of usage tells cost type, description apart" in text
        assert counts_in(text)[0] == usage.summarise(of_last_week(filled)).totals["total_tokens"]


class TestNewCounts:
    @pytest.fixture
    def counted(self, filled):
        fact = UsageFact.objects.filter(day=ranges.period("7d", today()).days.start).order_by("pk").first()
        UsageFact.objects.filter(day=fact.day, model=fact.model).update(other_counts={"thinking_tokens": 300})
        return filled

    def test_are_said_to_be_in_no_total(self, viewer, visit, counted):
        expected = usage.summarise(of_last_week(counted)).totals["other_counts"]["thinking_tokens"]

        text = visit(viewer).get("/usage/?range=7d&group_by=model").text

        assert "thinking_tokens" in text
        assert "leave it out" in text
        assert counts_in(text)[0] == expected > 0

    def test_are_a_column_of_the_file(self, viewer, visit, counted):
        rows = rows_of(visit(viewer).get("/usage/table.csv?range=7d&group_by=model"))

        assert sum(int(row["thinking_tokens"]) for row in rows[:-1]) == int(rows[-1]["thinking_tokens"]) > 0


class TestMetric:
    def test_leads_from_costs_to_tokens_and_back_with_the_same_question(self, viewer, visit, filled):
        client = visit(viewer)
        query = "range=7d&group_by=workspace_id"

        there = client.get(f"/explore/?{query}&metric=tokens").headers["Location"]
        back = client.get(f"{there}&metric=cost").headers["Location"]

        assert (there, back) == (f"/usage/?{query}", f"/explore/?{query}")

    def test_leaves_the_whole_page_when_a_part_was_asked_for(self, viewer, visit, filled):
        answer = visit(viewer).get("/explore/?metric=tokens", headers={"HX-Request": "true"})

        assert answer.headers["HX-Redirect"] == "/usage/"

    def test_of_a_rate_is_cost_by_tokens(self, viewer, visit, filled):
        """The whole week in one bar: its total is the week's cost by the week's tokens."""
        from costs import selectors

        query = "range=7d&metric=usd_per_million&group_by=none&granularity=month"
        text = visit(viewer).get(f"/explore/?{query}").text

        chart = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
        tokens = usage.summarise(of_last_week(filled)).totals["total_tokens"]
        rate = selectors.total(of_last_week(filled)) * 1_000_000 / tokens
        assert not chart["stacked"]
        assert abs(Decimal(chart["totals"][-1]) - rate) < Decimal("0.01")


class TestRate:
    """One day in one bar: whatever shows a rate shows the same one."""

    @pytest.fixture
    def query(self) -> str:
        day = today() - dt.timedelta(days=3)
        return f"from={day}&to={day + DAY}&metric=usd_per_million&group_by=model&compare=none"

    def read(self, text: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))

    def test_is_the_same_in_chart_table_and_both_files(self, viewer, visit, filled, query):
        client = visit(viewer)
        page = client.get(f"/explore/?{query}").text
        chart = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])
        lines = self.read(client.get(f"/explore/table.csv?{query}").text)
        (bar,) = self.read(client.get(f"/explore/chart.csv?{query}").text)

        unit = "USD per million tokens"
        of_table = {line["Model"]: line[unit] for line in lines if line[unit]}
        assert len(of_table) > 2
        assert {one["label"]: one["amounts"][0] for one in chart["series"] if one["amounts"][0]} | {
            "Total": chart["totals"][0]
        } == of_table
        assert {name: bar[f"{name} ({unit})"] for name in of_table} == of_table
        assert [f'<data value="{rate}"' in page for rate in of_table.values()] == [True] * len(of_table)

    def test_is_what_the_figures_and_the_sentence_say(self, viewer, visit, filled, query):
        client = visit(viewer)
        page = client.get(f"/explore/?{query}").text
        (whole,) = [
            line
            for line in self.read(client.get(f"/explore/table.csv?{query}").text)
            if line["Model"] == "Total"
        ]
        chart = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])

        dearest = max(Decimal(one["amounts"][0]) for one in chart["series"] if one["amounts"][0])
        assert Decimal(figures_in(page)[0]) == Decimal(whole["USD per million tokens"])
        assert (
            f"{figures.rate(Decimal(figures_in(page)[0]))} over all days, highest {figures.rate(dearest)} for "
            in page
        )
        assert "Daily average" not in page

    def test_of_groups_that_usage_does_not_know_is_said_to_be_missing(self, viewer, visit, filled):
        page = visit(viewer).get("/explore/?range=7d&metric=usd_per_million&group_by=description").text

        assert "No report of usage knows these groups" in page
        assert "Total cost" in page

    def test_is_withheld_while_dollars_of_a_day_lack_their_keys(self, viewer, visit, filled, query):
        """Tokens of that day have their keys: the line without a key would have dollars of all and tokens of none."""
        of_keys = {"source__in": ("analytics_cost", "allocated"), "day": today() - 3 * DAY}
        client, address = visit(viewer), f"/explore/?{query.replace('group_by=model', 'group_by=api_key_id')}"
        before = client.get(address).text
        DayDigest.objects.filter(**of_keys).delete()

        after = client.get(address).text

        assert ["Dearest group" in text for text in (before, after)] == [True, False]
        assert "Dollars are shown: until that report is there" in after

    def test_draws_no_earlier_period_and_no_key_for_it(self, viewer, visit, filled, query):
        page = visit(viewer).get(f"/explore/?{query.replace('&compare=none', '')}").text

        assert "</svg>previous period</span>" not in page


class TestCaching:
    def test_comes_after_the_page_and_says_what_was_saved(self, viewer, visit, filled):
        client = visit(viewer)

        assert 'hx-get="/usage/caching/?range=7d" hx-trigger="load"' in client.get("/usage/?range=7d").text
        text = client.get("/usage/caching/?range=7d", headers={"HX-Request": "true"}).text

        total = read_caching(of_last_week(filled)).total
        assert total.net_usd > 0
        assert f'<data value="{total.net_usd}"' in text
        assert "<html" not in text


class TestKeeping:
    def test_a_view_of_usage_opens_as_usage(self, editor, visit, filled):
        client = visit(editor)
        form = {"name": "Tokens", "query": "range=7d", "page": "usage"}

        client.post("/views/save/", form)

        view = SavedView.objects.get()
        assert view.page == "usage"
        assert client.get(f"/views/{view.pk}/").headers["Location"] == f"/usage/?range=7d&view={view.pk}"

    @pytest.mark.parametrize("shows", ["chart", "table", "figure"])
    def test_a_tile_of_usage_shows_tokens(self, editor, account, visit, filled, shows):
        view = SavedView.objects.create(
            account=account, owner=editor, name="T", query="range=7d", page="usage"
        )
        board = Dashboard.objects.create(account=account, owner=editor, name="B")
        tile = Tile.objects.create(dashboard=board, view=view, position=1, shows=shows)

        text = visit(editor).get(f"/dashboards/{board.pk}/tiles/{tile.pk}/").text

        assert counts_in(text)[0] == usage.summarise(of_last_week(filled)).totals["total_tokens"]


class TestAccounts:
    @pytest.mark.parametrize("path", ["", "table.csv", "caching/"])
    def test_do_not_see_each_other(self, charlie, filled, visit, path):
        model = usage.filter_values(of_last_week(filled), "model")[0]

        assert model not in visit(charlie).get(f"/usage/{path}").content.decode()


class TestCost:
    def test_asks_few_questions(self, viewer, visit, filled, django_assert_max_num_queries):
        client = visit(viewer)
        with django_assert_max_num_queries(FEW):
            client.get("/usage/?range=7d&group_by=api_key_id&then_by=model")
