from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from decimal import Decimal

import pytest
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat

from costs import selectors
from costs.models import CostFact
from costs.selectors import CostQuery
from dashboard.explore import table
from dashboard.explore.table import ALL_ROWS, Layout
from foundation.money import sum_usd
from foundation.periods import DayRange
from integrations.models import Status
from tests.dashboard.conftest import figures_in, today
from workers import lifecycle
from workers.lifecycle import NewConnection

FEW = 30
LAST_WEEK = "range=7d"


def chart_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])


def rows_of(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


class TestTotal:
    @pytest.mark.parametrize("preset", ["7d", "30d", "mtd", "last-month", "qtd", "ytd", "12m"])
    def test_is_exact(self, viewer, visit, filled, preset):
        from dashboard import ranges

        text = visit(viewer).get(f"/explore/?range={preset}").text

        days = ranges.period(preset, today()).days
        assert Decimal(figures_in(text)[0]) == selectors.total(CostQuery(filled.account_id, days))

    @pytest.mark.parametrize("granularity", ["day", "week", "month"])
    @pytest.mark.parametrize("group_by", ["none", "model", "workspace_id", "cost_type", "description"])
    def test_is_what_chart_and_table_add_up_to(self, viewer, visit, filled, granularity, group_by):
        query = f"{LAST_WEEK}&granularity={granularity}&group_by={group_by}&rows=all"
        client = visit(viewer)

        exact = Decimal(figures_in(client.get(f"/explore/?{query}").text)[0])
        groups = rows_of(client.get(f"/explore/table.csv?{query}"))
        bars = rows_of(client.get(f"/explore/chart.csv?{query}"))
        assert sum_usd(Decimal(row["Cost (USD)"]) for row in groups[:-1]) == exact
        assert Decimal(groups[-1]["Cost (USD)"]) == exact
        assert sum_usd(Decimal(row["Total (USD)"]) for row in bars) == exact

    def test_of_a_custom_range_may_hold_today(self, viewer, visit, filled):
        text = visit(viewer).get(f"/explore/?range=custom&from={today()}&to={today()}").text

        days = DayRange(today(), today() + dt.timedelta(days=1))
        assert Decimal(figures_in(text)[0]) == selectors.total(CostQuery(filled.account_id, days))
        assert "1 of 1 bars are provisional" in text

    def test_adds_up_in_a_cumulative_chart(self, viewer, visit, filled):
        text = visit(viewer).get(f"/explore/?{LAST_WEEK}&granularity=cumulative").text

        totals = [Decimal(total) for total in chart_of(text)["totals"]]
        assert totals == sorted(totals)
        assert abs(totals[-1] - Decimal(figures_in(text)[0])) <= Decimal("0.005")


class TestFilters:
    def test_narrow_every_figure(self, viewer, visit, filled):
        model = CostFact.objects.filter(model__isnull=False).first().model
        days = DayRange(today() - dt.timedelta(days=7), today())

        text = visit(viewer).get(f"/explore/?{LAST_WEEK}&model={model}").text

        exact = selectors.total(CostQuery(filled.account_id, days, {"model": [model]}))
        assert Decimal(figures_in(text)[0]) == exact
        assert f"Remove the filter Model: {model}" in text

    def test_are_chosen_among_the_values_of_the_range(self, viewer, visit, filled):
        text = visit(viewer).get(f"/explore/filters/model/?{LAST_WEEK}").text

        models = set(CostFact.objects.values_list("model", flat=True))
        assert {value or "null" for value in models} == set(re.findall(r'name="model" value="([^"]+)"', text))
        assert '<input type="hidden" name="range" value="7d">' in text

    def test_are_found_by_a_part_of_their_name(self, viewer, visit, filled):
        text = visit(viewer).get(f"/explore/filters/workspace_id/?{LAST_WEEK}&search=search").text

        assert re.findall(r'<span class="grow">([^<]+)</span>', text) == ["Search team"]

    def test_that_are_chosen_stay_in_the_list(self, viewer, visit, filled):
        text = visit(viewer).get("/explore/filters/model/?model=gone-model&search=zzz").text

        assert 'value="gone-model" checked' in text

    def test_of_no_dimension_are_not_found(self, viewer, visit, filled):
        assert visit(viewer).get("/explore/filters/password/").status_code == 404


class TestTable:
    def test_keeps_the_largest_and_adds_up_the_rest(self):
        from costs.variance import GroupDelta

        movements = [GroupDelta((f"m{n:02}",), Decimal(100 - n), Decimal(0)) for n in range(30)]
        layout = Layout(("Model",), lambda key: (str(key[0]),), {}, lambda _: "", False, "name", 10)

        built = table.build(movements, layout)

        assert [row.labels[0] for row in built.rows] == [f"m{n:02}" for n in range(10)]
        assert built.rest.labels == ("Other (20)",)
        assert built.rest.amount == sum(100 - n for n in range(10, 30))

    @pytest.mark.parametrize(
        ("sort", "order"),
        [("name", "ABC"), ("-name", "CBA"), ("-amount", "BAC"), ("amount", "CAB"), ("-previous", "CAB"),
         ("-change", "BAC"), ("-percent", "BAC"), ("percent", "CAB")],
    )  # fmt: skip
    def test_is_sorted_as_asked(self, sort, order):
        """A grew from 10 to 12 (+20 %), B is new with 50, C fell from 20 to 5."""
        from costs.variance import GroupDelta

        movements = [
            GroupDelta(("a",), Decimal(12), Decimal(10)),
            GroupDelta(("b",), Decimal(50), Decimal(0)),
            GroupDelta(("c",), Decimal(5), Decimal(20)),
        ]
        layout = Layout(("Model",), lambda key: (str(key[0]).upper(),), {}, lambda _: "", True, sort, 10)

        assert "".join(row.labels[0] for row in table.build(movements, layout).rows) == order

    def test_stays_sensible_where_credits_outweigh_charges(self, viewer, visit, filled):
        """One model is credited a million dollars: the total is negative, and no charge is more than all charges."""
        model = CostFact.objects.filter(model__isnull=False).order_by("model").first().model
        CostFact.objects.filter(model=model).update(amount_usd=Decimal(-1_000_000))
        client = visit(viewer)

        page = client.get(f"/explore/?{LAST_WEEK}&compare=none").text
        lines = rows_of(client.get(f"/explore/table.csv?{LAST_WEEK}&compare=none"))

        shares = {line["Model"]: line["Share (%)"] for line in lines}
        assert Decimal(lines[-1]["Cost (USD)"]) < 0
        assert (shares[model], shares["Total"]) == ("", "100.0")
        assert (
            abs(sum(Decimal(share) for name, share in shares.items() if share and name != "Total") - 100) < 1
        )
        assert '<span class="under">credit</span>' in page
        assert f"{model} is the largest" in page

    def test_leads_into_each_group(self, viewer, visit, filled):
        client = visit(viewer)
        text = client.get(f"/explore/?{LAST_WEEK}").text
        link = re.search(r'<th scope="row">.*?<a href="([^"]+)"', text)[1].replace("&amp;", "&")

        inside = client.get(link).text

        first_row = figures_in(text[text.index("<tbody>", text.index("groups-title")) :])[0]
        assert figures_in(inside)[0] == first_row
        assert "By workspace" in inside

    def test_says_when_a_grouping_says_nothing(self, viewer, visit, filled):
        CostFact.objects.update(api_key_id=None)

        assert "do not tell it apart" in visit(viewer).get("/explore/?group_by=api_key_id").text


class TestComparison:
    def test_shows_what_moved_and_why(self, viewer, visit, filled):
        client = visit(viewer)
        page = client.get(f"/explore/?{LAST_WEEK}").text

        assert f'hx-get="/explore/movers/?{LAST_WEEK}" hx-trigger="load"' in page
        text = client.get(f"/explore/movers/?{LAST_WEEK}").text
        assert re.search(r"(all|mostly|partly) in workspace", text)

    @pytest.mark.parametrize("group_by", ["none", "workspace_id"])
    def test_shows_groups_that_add_up_to_the_change(self, viewer, visit, filled, group_by):
        from dashboard.explore.movers import read_movers
        from dashboard.explore.report_context import ReportRequest
        from dashboard.explore.state import State

        state = State(range="7d", group_by=() if group_by == "none" else (group_by,))
        found = read_movers(ReportRequest(filled.account_id, state, today())).movers

        text = visit(viewer).get(f"/explore/?{LAST_WEEK}&group_by={group_by}").text
        total, before = (Decimal(figure) for figure in figures_in(text)[:2])
        assert len(found) <= 6
        assert sum_usd(mover.change.difference for mover in found) == sum_usd((total, -before))

    def test_names_new_and_gone_keys(self, viewer, visit, filled):
        middle = today() - dt.timedelta(days=7)
        CostFact.objects.filter(day__gte=middle).update(api_key_id="apikey_new")
        CostFact.objects.filter(day__lt=middle).update(api_key_id="apikey_old")

        text = visit(viewer).get(f"/explore/movers/?{LAST_WEEK}").text

        assert re.search(r"new</span><a[^>]*>apikey_new", text)
        assert re.search(r"gone</span><a[^>]*>apikey_old", text)

    def test_is_refused_where_days_are_not_stored(self, viewer, visit, filled):
        for path in ("/explore/?range=30d", "/explore/movers/?range=30d"):
            assert "No comparison: not every day of" in visit(viewer).get(path).text

    def test_can_be_left_out(self, viewer, visit, filled):
        text = visit(viewer).get(f"/explore/?{LAST_WEEK}&compare=none").text

        assert "Not compared." in text
        assert set(chart_of(text)["previous"]) == {None}


class TestWhy:
    def test_names_the_connection_that_does_not_deliver(self, viewer, visit, filled):
        filled.status, filled.detail, filled.remedy = Status.ERROR, "Refused.", "Rotate it."
        filled.save()

        text = visit(viewer).get("/explore/").text

        assert "Refused." in text
        assert "Rotate it." in text

    def test_counts_provisional_days(self, viewer, visit, filled):
        assert "6 of 7 days may still change" in visit(viewer).get(f"/explore/?{LAST_WEEK}").text


class TestProblems:
    def test_are_told_beside_what_is_shown(self, viewer, visit, filled):
        answer = visit(viewer).get("/explore/?range=13m&colour=red")

        assert answer.status_code == 200
        assert "<code>range=13m</code>" in answer.text
        assert "<code>colour</code>" in answer.text

    def test_cannot_become_markup(self, viewer, visit, filled):
        assert "<b>x" not in visit(viewer).get("/explore/?range=<b>x&model=<b>x").text


class TestParts:
    def test_keep_the_short_address(self, viewer, visit, filled):
        query = "range=7d&granularity=auto&group_by=model&then_by=none&compare=previous"

        answer = visit(viewer).get(f"/explore/?{query}", headers={"HX-Request": "true"})

        assert answer.headers["HX-Push-Url"] == "/explore/?range=7d"

    def test_of_values_are_not_whole_pages(self, viewer, visit, filled):
        answer = visit(viewer).get("/explore/filters/model/", headers={"HX-Request": "true"})

        assert "<html" not in answer.text


class TestCsv:
    def test_holds_exactly_the_lines_shown(self, viewer, visit, filled):
        query = f"{LAST_WEEK}&group_by=description&sort=name"
        client = visit(viewer)

        text = client.get(f"/explore/?{query}").text
        found = rows_of(client.get(f"/explore/table.csv?{query}"))

        body = text[text.index("groups-title") : text.index("movers-title")]
        shown = re.findall(r'<th scope="row">.*?(?:<a[^>]*>)([^<]+)<', body)
        assert [row["Description"] for row in found] == [*shown, "Total"]

    def test_is_a_file_named_by_its_days(self, viewer, visit, filled):
        answer = visit(viewer).get("/explore/table.csv?range=custom&from=2026-11-01&to=2026-11-03")

        assert (
            answer.headers["Content-Disposition"] == 'attachment; filename="costs_2026-11-01_2026-11-03.csv"'
        )

    @pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1"])
    def test_lets_no_spreadsheet_run_a_name(self, viewer, visit, filled, text):
        CostFact.objects.filter(model__isnull=False).update(model=text)

        found = rows_of(visit(viewer).get(f"/explore/table.csv?{LAST_WEEK}"))

        assert f"'{text}" in [row["Model"] for row in found]

    def test_leaves_negative_amounts_numbers(self, viewer, visit, filled):
        CostFact.objects.update(amount_usd=Decimal("-1.5"))

        found = rows_of(visit(viewer).get(f"/explore/table.csv?{LAST_WEEK}"))

        assert all(Decimal(row["Cost (USD)"]) < 0 for row in found)


class TestAccounts:
    @pytest.mark.parametrize("path", ["", "table.csv", "chart.csv", "movers/", "filters/model/"])
    def test_do_not_see_each_other(self, charlie, filled, visit, path):
        model = CostFact.objects.filter(model__isnull=False).first().model

        assert model not in visit(charlie).get(f"/explore/{path}").content.decode()

    def test_cannot_reach_another_by_a_filter(self, charlie, filled, visit):
        text = visit(charlie).get(f"/explore/?connection={filled.pk}").text

        assert figures_in(text) == []
        assert filled.label not in text


class TestSize:
    def test_is_compressed(self, viewer, visit, filled):
        client = visit(viewer)

        page = client.get("/explore/", headers={"Accept-Encoding": "gzip"})
        library = client.get(
            "/static/dashboard/vendor/echarts/echarts.common.min.js", headers={"Accept-Encoding": "gzip"}
        )

        assert page.headers["Content-Encoding"] == "gzip"
        assert len(library.getvalue()) < 260_000


class TestCost:
    def test_asks_few_questions_however_much_there_is(
        self, viewer, visit, account, key_of, filled, run_due, django_assert_max_num_queries
    ):
        client = visit(viewer)
        with django_assert_max_num_queries(FEW):
            client.get("/explore/?range=7d")
        lifecycle.connect(account, NewConnection(key_of("birch-logistics")), actor="alice")
        run_due()
        with django_assert_max_num_queries(FEW):
            client.get("/explore/?range=7d&group_by=workspace_id&then_by=model&rows=all")
        with django_assert_max_num_queries(FEW):
            client.get("/explore/movers/?range=7d")


class TestAllRows:
    def test_of_a_page_end_where_a_file_goes_on(self, viewer, visit, filled):
        CostFact.objects.update(description=Concat(Value("row "), Cast("pk", TextField())))
        client = visit(viewer)
        query = "?range=30d&group_by=description&rows=all"
        groups = CostFact.objects.filter(day__lt=today()).count()

        text = client.get(f"/explore/{query}").text
        written = client.get(f"/explore/table.csv{query}").content.decode("utf-8-sig").splitlines()

        assert groups > ALL_ROWS + 1
        assert f"Other ({groups - ALL_ROWS})" in text
        assert "each in the exported table" in text
        assert len(written) == 1 + groups + 1
