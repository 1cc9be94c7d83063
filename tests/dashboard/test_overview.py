from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal

import pytest

from costs import selectors
from costs.models import CostFact, DayDigest
from costs.selectors import CostQuery
from foundation.periods import DayRange
from tests.dashboard.conftest import figures_in
from workers import lifecycle
from workers.clock import database_now
from workers.lifecycle import NewConnection

FEW = 34


class TestEmptyAccount:
    def test_shows_three_steps(self, admin, visit):
        text = visit(admin).get("/").text

        assert [step in text for step in ("Get a key", "Add the connection", "Watch the history")] == [
            True
        ] * 3
        assert "hx-trigger" not in text

    def test_does_not_offer_a_viewer_what_only_an_admin_may(self, viewer, visit):
        assert "Only an admin" in visit(viewer).get("/").text

    def test_watches_a_backfill(self, viewer, visit, connection):
        text = visit(viewer).get("/").text

        assert "0 of 31 days" in text
        assert 'hx-trigger="every 2s"' in text

    def test_stops_looking_while_only_a_person_can_go_on(self, viewer, visit, connection, simulator, run_due):
        simulator.fault("revoked", times=-1)
        run_due()

        text = visit(viewer).get("/").text

        assert "refused this key" in text
        assert "hx-trigger" not in text

    def test_tells_the_page_to_start_over_once_there_is_data(self, viewer, visit, filled):
        answer = visit(viewer).get("/progress/?at=welcome", headers={"HX-Request": "true"})

        assert answer.headers["HX-Refresh"] == "true"

    def test_says_when_there_is_no_usage_at_all(self, admin, visit, account, key_of, run_due):
        lifecycle.connect(account, NewConnection(key_of("dormant-labs")), actor="alice")
        run_due()

        assert "No cost in this period" in visit(admin).get("/").text


class TestTotals:
    @pytest.mark.parametrize("preset", ["7d", "30d", "last-month", "mtd", "90d", "12m"])
    def test_are_exact(self, viewer, visit, filled, preset):
        from dashboard import ranges

        today = database_now().date()
        text = visit(viewer).get(f"/?range={preset}").text

        exact = selectors.total(CostQuery(filled.account_id, ranges.period(preset, today).days))
        assert Decimal(figures_in(text)[0]) == exact

    def test_of_both_tables_agree(self, viewer, visit, filled):
        text = visit(viewer).get("/").text

        feet = re.findall(r'<th scope="row">Total</th><td class="n"><data value="([^"]+)"', text)
        assert len(set(feet)) == 1
        assert len(feet) == 2

    def test_lead_to_keys_and_people_of_the_same_days(self, viewer, visit, filled):
        client = visit(viewer)

        text = client.get("/?range=7d").text

        assert 'href="/explore/?range=7d&amp;group_by=api_key_id">API key</a>' in text
        assert "By API key" in client.get("/explore/?range=7d&group_by=api_key_id").text

    def test_leave_today_out_but_show_it(self, viewer, visit, filled):
        today = database_now().date()
        exact = selectors.total(CostQuery(filled.account_id, DayRange(today, today + dt.timedelta(days=1))))

        text = visit(viewer).get("/").text

        assert "provisional, not in the total" in text
        assert exact in [Decimal(figure) for figure in figures_in(text)]

    def test_are_those_of_the_address_as_the_api_reads_them(self, viewer, visit, filled):
        end = database_now().date() - dt.timedelta(days=3)
        days = DayRange(end - dt.timedelta(days=2), end)

        text = visit(viewer).get(f"/?from={days.start}&to={days.end}").text

        assert Decimal(figures_in(text)[0]) == selectors.total(CostQuery(filled.account_id, days))
        assert f'href="/explore/?from={days.start}&amp;to={days.end}&amp;group_by=api_key_id"' in text

    @pytest.mark.parametrize("path", ["/", "/overview/", "/explore/", "/usage/"])
    def test_that_cannot_be_followed_are_told(self, viewer, visit, filled, path):
        assert "a range without both of its days" in visit(viewer).get(f"{path}?from=2026-10-01").text

    def test_are_not_compared_with_days_that_are_not_stored(self, viewer, visit, filled):
        assert "No comparison: not every day of" in visit(viewer).get("/?range=30d").text
        assert "No comparison" not in visit(viewer).get("/?range=7d").text

    def test_are_not_compared_because_one_older_day_was_synced(self, viewer, visit, filled):
        DayDigest.objects.filter(day=database_now().date() - dt.timedelta(days=20)).update(
            day=database_now().date() - dt.timedelta(days=730)
        )

        assert "No comparison: not every day of" in visit(viewer).get("/?range=12m").text

    def test_are_not_compared_with_days_that_have_a_gap(self, viewer, visit, filled):
        gap = database_now().date() - dt.timedelta(days=10)
        DayDigest.objects.filter(connection=filled, day=gap).delete()

        text = visit(viewer).get("/?range=7d").text

        assert "No comparison: not every day of" in text


class TestNames:
    def test_the_default_workspace_has_its_name(self, viewer, visit, filled):
        assert CostFact.objects.filter(workspace_id__isnull=True).exists()
        assert ">Default<" in visit(viewer).get("/").text

    def test_a_cost_without_a_model_says_what_it_is(self, viewer, visit, filled):
        CostFact.objects.update(model=None, cost_type="web_search")

        assert "No model (web search, tools)" in visit(viewer).get("/").text

    def test_nothing_upstream_says_can_become_markup(self, viewer, visit, filled):
        CostFact.objects.filter(model__isnull=False).update(model="</script><b>x")

        assert "<b>x" not in visit(viewer).get("/").text


class TestChart:
    def test_has_the_same_amounts_as_the_table_under_it(self, viewer, visit, filled):
        text = visit(viewer).get("/").text

        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
        assert len(data["labels"]) == 30
        assert data["provisional"][-7:] == [False, *[True] * 6]
        assert all(isinstance(amount, str) for series in data["series"] for amount in series["amounts"])
        assert data["summary"] in text.replace("&#x27;", "'")


class TestCost:
    def test_asks_few_questions_however_much_there_is(
        self, viewer, visit, account, key_of, filled, run_due, django_assert_max_num_queries
    ):
        client = visit(viewer)
        with django_assert_max_num_queries(FEW):
            client.get("/?range=12m")
        lifecycle.connect(account, NewConnection(key_of("birch-logistics")), actor="alice")
        run_due()
        with django_assert_max_num_queries(FEW):
            client.get("/?range=12m")
