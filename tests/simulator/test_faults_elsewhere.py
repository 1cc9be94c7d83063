"""Faults act on the usage and analytics reports as on the cost report, and keep the totals where that is promised."""

from datetime import date
from decimal import Decimal

import pytest

from .test_analytics import COST, FIRST, LAST, USAGE, Analyst, counted, money
from .test_usage_report import USAGE as CLASSIC_USAGE
from .test_usage_report import counts, usage

SLUG = "acorn-studio"
NAMES = ("model", "workspace_id")


@pytest.fixture
def analyst(sim):
    return Analyst(sim.base_url, SLUG)


class TestReplies:
    @pytest.mark.parametrize(
        ("kind", "status"), [("overloaded", 529), ("rate_limit_bare", 429), ("gateway_html", 502)]
    )
    @pytest.mark.parametrize(
        "path", [COST, USAGE, CLASSIC_USAGE, "/v1/organizations/api_keys", "/v1/organizations/users"]
    )
    def test_strike_every_endpoint(self, analyst, sim, path, kind, status):
        sim.fault(kind, organisation=SLUG, path=path)

        assert analyst.get(path).status == status

    @pytest.mark.parametrize(("kind", "status"), [("cursor_expired", 410), ("cursor_mismatch", 400)])
    def test_cursor_faults_wait_for_a_cursor(self, analyst, sim, kind, status):
        sim.fault(kind, organisation=SLUG)
        page = analyst.ask(COST, groups=NAMES, limit=1).json

        reply = analyst.ask(COST, groups=NAMES, limit=1, page=page["next_page"])

        assert reply.status == status

    def test_an_enterprise_organisation_is_struck_by_its_own_name(self, sim):
        caller = Analyst(sim.base_url, f"{SLUG}.enterprise")
        sim.fault("overloaded", organisation=SLUG)
        assert caller.ask(COST).status == 200
        sim.clear_faults()
        sim.fault("overloaded", organisation=f"{SLUG}.enterprise")

        assert caller.ask(COST).status == 529


class TestDocuments:
    @pytest.mark.parametrize("kind", ["duplicate_rows", "negative_rows", "unknown_values"])
    def test_cost_adds_up(self, analyst, sim, kind):
        truth = sim.analytics_truth(SLUG, FIRST, LAST)
        before = analyst.ask(COST, groups=NAMES, limit=1000).json["data"]
        sim.fault(kind, organisation=SLUG)

        found = analyst.ask(COST, groups=NAMES, limit=1000).json["data"]

        assert len(found) == 2 * len(before)
        assert money(found, ()) == {(): (truth.total_usd, truth.list_usd)}
        assert sum(row["cost"]["requests"] for row in found) == sum(row["cost"]["requests"] for row in before)

    @pytest.mark.parametrize("kind", ["duplicate_rows", "negative_rows", "unknown_values"])
    def test_counts_add_up(self, analyst, sim, kind):
        before = counted(analyst.ask(USAGE, groups=NAMES, limit=1000).json["data"], ())
        sim.fault(kind, organisation=SLUG)

        assert counted(analyst.ask(USAGE, groups=NAMES, limit=1000).json["data"], ()) == before

    @pytest.mark.parametrize("kind", ["duplicate_rows", "unknown_values"])
    def test_classic_counts_add_up(self, acorn, sim, kind):
        window = ("2026-11-14", "2026-11-19", "model")
        before = [
            tuple(map(sum, zip(*map(counts, b["results"]), strict=True))) for b in usage(acorn, *window)
        ]
        sim.fault(kind, organisation=SLUG)

        found = usage(acorn, *window)

        assert [tuple(map(sum, zip(*map(counts, b["results"]), strict=True))) for b in found] == before

    def test_unknown_values_are_in_the_group(self, analyst, sim):
        sim.fault("unknown_values", organisation=SLUG)

        found = analyst.ask(COST, groups=NAMES).json["data"]

        assert "claude-novella-6" in {row["group"]["model"] for row in found}
        assert all("carbon_grams" in row["cost"] for row in found)

    def test_amounts_and_currencies_are_spoilt(self, analyst, sim):
        sim.fault("bad_amount", organisation=SLUG)
        sim.fault("currency_eur", organisation=SLUG)

        bad, euro = (analyst.ask(COST).json["data"][0]["cost"] for _ in range(2))

        assert bad["amount"] == "12,50 USD"
        assert euro["currency"] == "EUR"

    def test_amount_faults_leave_counts_alone(self, analyst, sim):
        sim.fault("bad_amount", organisation=SLUG)

        analyst.ask(USAGE)

        assert sim.faults()[0]["struck"] == 0

    def test_paging_faults(self, analyst, sim):
        sim.fault("has_more_without_token", organisation=SLUG)
        sim.fault("repeat_page_token", organisation=SLUG, times=-1)
        endless = analyst.ask(COST, groups=NAMES, limit=1).json
        first = analyst.ask(COST, groups=NAMES, limit=1).json

        again = analyst.ask(COST, groups=NAMES, limit=1, page=first["next_page"]).json

        assert (endless["has_more"], endless["next_page"]) == (True, None)
        assert again["next_page"] == first["next_page"]

    def test_day_outside_window(self, analyst, sim):
        sim.fault("day_outside_window", organisation=SLUG)

        found = analyst.ask(COST, time_bucket_width="1d", order_by="time", order="asc").json["data"]

        assert found[0]["starting_at"] == "2026-11-13T00:00:00Z"

    def test_nan(self, analyst, sim):
        sim.fault("nan_json", organisation=SLUG)

        assert b'"amount":NaN,"list_amount":"' in analyst.ask(COST).body


def test_truth_is_what_the_report_says_after_a_fault(analyst, sim):
    window = (date(2026, 11, 18), date(2026, 11, 19))
    sim.fault("server_error", organisation=SLUG)

    assert analyst.ask(COST, *window).status == 500
    amount = analyst.ask(COST, *window).json["data"][0]["cost"]["amount"]
    assert Decimal(amount) / 100 == sim.analytics_truth(SLUG, *window).total_usd
