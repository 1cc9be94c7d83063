"""Every report of both kinds of organisation, read through the engine, equals the truth whatever it is grouped by."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from costs import api_versions, selectors, source_precedence, usage
from costs.models import CostFact, DayDigest
from costs.selectors import CostQuery
from foundation.periods import DayRange
from tests.sources.conftest import CONSOLE, ENTERPRISE
from workers.models import SyncRun, SyncStep

pytestmark = pytest.mark.django_db(transaction=True)

# Dimension of ours → of the simulator's truth. Its geography is that of the analytics reports.
_COST = [
    "workspace_id",
    "model",
    "token_type",
    "cost_type",
    "service_tier",
    "context_window",
    "inference_geo",
    "description",
]
_WHO = {"api_key_id": "api_key_id", "actor_id": "actor_id", "actor_type": "actor_type"}
_SERVED = {"product": "product", "speed": "speed"}
_MEMBER = {
    "actor_id": "actor_id", "product": "product", "model": "model", "context_window": "context_window",
    "inference_geo": "analytics_geo", "speed": "speed", "token_type": "token_type", "cost_type": "cost_type",
}  # fmt: skip


def sums(query: CostQuery, *names: str) -> dict:
    """Our sums by value (or tuple of values), without the zeros that reports leave out."""
    rows = selectors.summarise(query, group_by=names).rows
    found = {tuple(row.group.values()): row.amount_usd for row in rows if row.amount_usd}
    return {key[0] if len(key) == 1 else key: amount for key, amount in found.items()}


def tokens(query: CostQuery, name: str) -> dict:
    rows = usage.summarise(query, group_by=[name]).rows
    return {row.group[name]: dict(row.counts) for row in rows if any(row.counts.values())}


def true_dollars(simulator, organisation: str, days: DayRange, name: str) -> dict:
    groups = simulator.analytics_truth(organisation, days.start, days.end, group_by=name).groups
    return {key: amount for key, (amount, _) in groups.items() if amount}


def every_step(connection) -> dict[str, set[str]]:
    steps = SyncStep.objects.filter(run__connection=connection).values_list("report_name", "status", "detail")
    found: dict[str, set[str]] = {}
    for spec, status, detail in steps:
        found.setdefault(spec, set()).add(f"{status} {detail}".strip())
    return found


class TestConsole:
    def test_equals_the_truth_over_every_dimension(self, filled, simulator, days):
        connection = filled(CONSOLE)
        query = CostQuery(connection.account_id, days)
        organisation = connection.organization_id

        assert every_step(connection) == {spec: {"done"} for spec in every_step(connection)}
        bill = simulator.truth(organisation, days.start, days.end).total_usd
        assert selectors.total(query) == bill
        for name in _COST:
            truth = simulator.truth(organisation, days.start, days.end, group_by=name).groups
            assert sums(query, name) == {key: amount for key, amount in truth.items() if amount}, name
        default = next(
            w["id"] for w in simulator.organisations(organisation=CONSOLE)[0]["workspaces"] if w["is_default"]
        )
        assert default not in sums(query, "workspace_id")
        for ours, theirs in (_WHO | _SERVED).items():
            assert sums(query, ours) == true_dollars(simulator, organisation, days, theirs), ours

    def test_keys_and_people_add_up_to_the_bill(self, filled, simulator, days):
        connection = filled(CONSOLE)
        query = CostQuery(connection.account_id, days)
        bill = simulator.truth(connection.organization_id, days.start, days.end).total_usd

        for names in (
            ["api_key_id"],
            ["actor_id"],
            ["api_key_id", "model", "workspace_id"],
            ["product", "speed"],
        ):
            assert sum(sums(query, *names).values()) == bill, names
        assert len(sums(query, "api_key_id")) > 3

    def test_usage_equals_the_truth_over_every_dimension(self, filled, simulator, days):
        connection = filled(CONSOLE)
        query = CostQuery(connection.account_id, days)

        for ours, theirs in (_WHO | _SERVED | {"model": "model", "service_tier": "service_tier",
                                               "context_window": "context_window"}).items():  # fmt: skip
            truth = simulator.usage_truth(connection.organization_id, days.start, days.end, group_by=theirs)
            mine = tokens(query, ours)
            assert {key: row["output_tokens"] for key, row in mine.items() if row["output_tokens"]} == {
                key: counts["output_tokens"]
                for key, counts in truth.groups.items()
                if counts["output_tokens"]
            }, ours
        whole = usage.summarise(query).totals
        truth = simulator.usage_truth(connection.organization_id, days.start, days.end).totals
        assert whole["uncached_input_tokens"] == truth["uncached_input_tokens"]
        assert whole["web_search_requests"] == truth["web_search_requests"]
        assert whole["requests"] == truth["requests"]

    def test_reads_each_day_from_one_report_only(self, filled, days):
        connection = filled(CONSOLE)
        query = CostQuery(connection.account_id, days)

        stored = set(CostFact.objects.values_list("source", flat=True).distinct())

        assert stored == {"cost_report", "analytics_cost", "analytics_cost_serving"}
        assert source_precedence.sources_used(selectors.source_question("cost", query)) == ["cost_report"]
        assert source_precedence.sources_used(selectors.source_question("cost", query, ["api_key_id"])) == [
            "analytics_cost"
        ]
        assert source_precedence.sources_used(selectors.source_question("cost", query, ["product"])) == [
            "analytics_cost_serving"
        ]

    def test_both_generations_agree(self, filled, days):
        connection = filled(CONSOLE)

        compared = api_versions.compare(connection.pk, "cost_report", "analytics_cost", days)

        assert compared.days_compared == len(days)
        assert compared.days_different == []

    def test_a_planted_difference_is_found_named_and_never_added(self, filled, simulator, days, run_due):
        day = days.end - dt.timedelta(days=3)
        try:
            simulator.world(CONSOLE, "plant_difference", day=day.isoformat(), delta="0.42")
            connection = filled(CONSOLE)
        finally:
            simulator.world(CONSOLE, "restore_day", day=day.isoformat())
        query = CostQuery(connection.account_id, days)

        (found,) = api_versions.compare(connection.pk, "cost_report", "analytics_cost", days).days_different

        assert (found.day, found.difference_usd) == (day, Decimal("0.42"))
        assert sum(row.other_usd - row.bill_usd for row in found.rows) == Decimal("0.42")
        assert found.rows[0].dimensions["model"]
        bill = simulator.truth(connection.organization_id, days.start, days.end).total_usd
        assert sum(sums(query, "api_key_id").values()) == bill
        # The day's dollars are shared by those of the report that differs, and say so.
        one_day = CostQuery(connection.account_id, DayRange(day, day + dt.timedelta(days=1)))
        assert set(sums(one_day, "api_key_id", "attribution")) >= {
            key for key in sums(one_day, "api_key_id", "attribution") if key[1] == "dollar_share"
        }
        assert "dollar_share" in {key[1] for key in sums(one_day, "api_key_id", "attribution")}

    def test_without_the_analytics_reports_the_bill_is_shared_by_tokens(self, filled, simulator, days):
        simulator.fault("missing_scope", path="analytics", times=-1)
        connection = filled(CONSOLE)
        query = CostQuery(connection.account_id, days)

        shares = sums(query, "api_key_id", "attribution")

        assert connection.status == "active"
        assert set(connection.reports.filter(is_refused=True).values_list("report_name", flat=True)) == {
            "analytics_cost", "analytics_cost_serving", "analytics_usage", "analytics_usage_serving",
        }  # fmt: skip
        assert (
            sum(shares.values())
            == simulator.truth(connection.organization_id, days.start, days.end).total_usd
        )
        assert {method for _, method in shares} >= {"token_share"}
        truth = true_dollars(simulator, connection.organization_id, days, "api_key_id")
        named = {key for key, method in shares if method == "token_share" and key}
        assert named <= set(truth)
        assert not DayDigest.objects.filter(source__startswith="analytics").exists()


class TestEnterprise:
    def test_equals_the_truth_over_every_dimension(self, filled, simulator, days):
        connection = filled(ENTERPRISE)
        query = CostQuery(connection.account_id, days)
        organisation = connection.organization_id

        assert (connection.origin, connection.status) == ("claude_ai", "active")
        assert every_step(connection) == {spec: {"done"} for spec in every_step(connection)}
        truth = simulator.analytics_truth(organisation, days.start, days.end)
        # The export ends some hours ago, so yesterday may be cut; the days before are whole.
        whole = DayRange(days.start, days.end - dt.timedelta(days=1))
        query = CostQuery(connection.account_id, whole)
        truth = simulator.analytics_truth(organisation, whole.start, whole.end)
        assert selectors.total(query) == truth.total_usd
        for ours, theirs in _MEMBER.items():
            assert sums(query, ours) == true_dollars(simulator, organisation, whole, theirs), ours

    def test_is_one_run_on_one_lane(self, filled):
        connection = filled(ENTERPRISE)

        assert {run.lane.family for run in SyncRun.objects.filter(connection=connection)} == {"analytics"}

    def test_falls_back_on_the_older_reports_when_the_new_ones_are_refused(self, filled, simulator, days):
        for path in ("analytics/cost$", "analytics/usage$"):
            simulator.fault(
                "status", path=path, times=-1, status=400, type="invalid_request_error",
                message="not enrolled", error_code="organization_not_enrolled_in_beta",
            )  # fmt: skip
        connection = filled(ENTERPRISE)
        whole = DayRange(days.start, days.end - dt.timedelta(days=1))
        query = CostQuery(connection.account_id, whole)

        truth = simulator.analytics_truth(connection.organization_id, whole.start, whole.end)
        assert connection.cost_source == "enterprise_cost_report"
        assert selectors.total(query) == truth.total_usd
