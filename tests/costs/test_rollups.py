"""The sums that the database keeps beside the facts are the sums of the facts, whoever changed them and however."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costs import selectors, source_precedence, usage
from costs.ingest import Window, replace_window
from costs.models import CostFact, DailyCost, DailyUsage, UsageFact
from costs.records import Origin
from costs.rollups import COST_SUMS, USAGE_SUMS, Sums
from costs.selectors import CostQuery
from costs.tables import USAGE
from costs.usage_records import UsageRecord
from foundation.periods import DayRange
from integrations.models import Connection
from tests.costs.test_ingest import DAYS, MONDAY, T0, make_connection, put, record

pytestmark = pytest.mark.django_db
_DAY = dt.timedelta(days=1)
WEEK = DayRange(MONDAY, MONDAY + dt.timedelta(days=7))
COUNTS = (
    "uncached_input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "web_search_requests", "requests",
)  # fmt: skip


@pytest.fixture
def connection(account) -> Connection:
    return make_connection(account)


def place(row: Any, dimensions: Collection[str]) -> tuple[Any, ...]:
    return (row.connection_id, row.source, row.day, row.origin, *(getattr(row, name) for name in dimensions))


def sums_of_facts(sums: Sums, fact: type, values: Collection[str]) -> Counter[Any]:
    """What the table has to hold, made row by row from the facts."""
    found: Counter[Any] = Counter()
    for row in fact.objects.all():
        for grain in sums.grains:
            for value in values:
                found[sums.number(grain), place(row, grain), value] += getattr(row, value)
    return found


def kept(sums: Sums, values: Collection[str]) -> Counter[Any]:
    grains = {sums.number(grain): grain for grain in sums.grains}
    return Counter(
        {
            (row.grain, place(row, grains[row.grain]), value): getattr(row, value)
            for row in sums.table.objects.all()
            for value in values
        }
    )


kept_costs = partial(kept, COST_SUMS, ("amount_usd",))
costs_of_facts = partial(sums_of_facts, COST_SUMS, CostFact, ("amount_usd",))


def used(model: str, workspace: str | None, tokens: int, requests: int | None = 1) -> UsageRecord:
    counts = dict.fromkeys(COUNTS, tokens) | {"requests": requests}
    return UsageRecord(
        day=MONDAY,
        origin=Origin.CLAUDE_PLATFORM,
        source="usage_report",
        model=model,
        workspace_id=workspace,
        **counts,
    )


def put_usage(connection: Connection, *records: UsageRecord) -> None:
    window = Window(connection.pk, "usage_report", DAYS, as_of=T0, observed_at=T0, table=USAGE)
    with transaction.atomic():
        replace_window(window, records)


records = st.lists(
    st.builds(
        record,
        st.decimals(-(10**6), 10**6, places=9, allow_nan=False).map(str),
        st.sampled_from(sorted(DAYS)),
        model=st.sampled_from(["a", "b", None]),
        workspace_id=st.sampled_from(["w1", "w2", None]),
        api_key_id=st.sampled_from(["k1", None]),
        token_type=st.sampled_from(["output_tokens", None]),
        speed=st.sampled_from(["fast", None]),
    ),
    max_size=12,
)


class TestKeepingUp:
    @given(first=records, second=records)
    @settings(
        max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    def test_holds_the_sums_of_the_facts_after_any_two_windows(self, account, first, second):
        connection = make_connection(account)
        put(connection, *first)
        assert kept_costs() == costs_of_facts()

        put(connection, *second, minutes=1)

        assert kept_costs() == costs_of_facts()
        connection.delete()
        assert not DailyCost.objects.exists()

    def test_keeps_every_digit(self, connection):
        put(
            connection,
            record("0.01234567890123456789012345", model="a"),
            record("1", model="a", speed="fast"),
        )

        assert DailyCost.objects.get(grain=COST_SUMS.number(["model"])).amount_usd == Decimal(
            "1.01234567890123456789012345"
        )

    def test_follows_what_is_changed_beside_ingest(self, connection):
        put(connection, record("5", model="a"), record("2", model="b"))

        CostFact.objects.filter(model="a").update(amount_usd=7)
        CostFact.objects.filter(model="b").delete()

        assert kept_costs() == costs_of_facts()
        assert len(kept_costs()) == len(COST_SUMS.grains)

    def test_follows_a_row_that_is_moved_to_another_day(self, connection):
        put(connection, record("5", model="a"), record("2", model="b"))

        CostFact.objects.filter(model="a").update(day=MONDAY + _DAY)

        assert kept_costs() == costs_of_facts()

    def test_leaves_days_alone_that_did_not_change(self, connection):
        tuesday = MONDAY + dt.timedelta(days=1)
        put(connection, record("5"), record("2", tuesday))
        before = set(DailyCost.objects.filter(day=tuesday).values_list("pk", flat=True))

        put(connection, record("6"), record("2", tuesday), minutes=1)

        assert set(DailyCost.objects.filter(day=tuesday).values_list("pk", flat=True)) == before

    def test_holds_the_sums_of_usage_too(self, connection):
        put_usage(connection, used("a", "w1", 5), used("a", "w2", 7), used("b", None, 1))

        assert kept(USAGE_SUMS, COUNTS) == sums_of_facts(USAGE_SUMS, UsageFact, COUNTS)

    def test_counts_no_requests_where_one_fact_does_not(self, connection):
        put_usage(connection, used("a", "w1", 5, requests=3), used("a", "w2", 7, requests=None))

        by_model = DailyUsage.objects.get(grain=USAGE_SUMS.number(["model", "service_tier"]))
        assert (by_model.output_tokens, by_model.requests) == (12, None)


def in_another_session(work: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        work()
        database.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_for_a_lock() -> None:
    """Return as soon as another session waits for us."""
    for _ in range(500):
        with database.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.01)
    pytest.fail("Nobody waited.")


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_two_who_change_one_day_leave_one_set_of_sums(self, connection):
        put(connection, record("5", model="a"), record("2", model="b"))

        with transaction.atomic():
            CostFact.objects.filter(model="a").update(amount_usd=7)
            other = in_another_session(lambda: CostFact.objects.filter(model="b").update(amount_usd=3))
            wait_for_a_lock()
        other.join()

        assert kept_costs() == costs_of_facts()
        assert selectors.total(CostQuery(connection.account_id, WEEK)) == 10

    def test_an_answer_is_of_one_moment(self, connection, monkeypatch):
        """Between the choice of the reports and their sums a sync empties the report that was chosen."""
        put(connection, record("5", model="a"))
        choose = source_precedence.resolved_days

        def emptied_meanwhile(*asked: Any) -> Any:
            chosen = choose(*asked)
            in_another_session(lambda: CostFact.objects.all().delete()).join()
            return chosen

        monkeypatch.setattr(source_precedence, "resolved_days", emptied_meanwhile)

        summary = selectors.summarise(CostQuery(connection.account_id, WEEK), group_by=["model"])

        assert (summary.total_usd, CostFact.objects.count()) == (5, 0)


class TestFindCut:
    @pytest.mark.parametrize("sums", [COST_SUMS, USAGE_SUMS])
    def test_numbers_cuts_as_the_database_does(self, connection, sums):
        put(connection, record("1", model="a"))
        put_usage(connection, used("a", "w1", 5))

        stored = set(sums.table.objects.values_list("grain", flat=True))

        assert stored == {sums.number(grain) for grain in sums.grains}

    def test_needs_none_for_what_every_sum_has(self):
        assert COST_SUMS.find_grain(["connection", "cost_center", "origin", "source"]) is not None

    def test_finds_the_smallest(self):
        assert COST_SUMS.find_grain(["model", "connection"]) == COST_SUMS.number(["model"])

    def test_leaves_to_the_facts_what_no_cut_has(self):
        assert COST_SUMS.find_grain(["model", "description"]) is None
        assert USAGE_SUMS.find_grain(["password"]) is None


class TestQuestions:
    def test_get_one_answer_from_sums_and_from_facts(self, connection):
        put(
            connection,
            record("5", model="a", workspace_id="w1", token_type="output_tokens"),
            record("2", model="b", workspace_id="w1", description="x"),
            record("-0.5", model=None, workspace_id=None),
        )
        query = CostQuery(connection.account_id, WEEK)

        by_sums = selectors.summarise(query, group_by=["workspace_id"])
        by_facts = selectors.summarise(query, group_by=["workspace_id", "description"])

        assert by_sums.total_usd == by_facts.total_usd == Decimal("6.5")
        assert {row.group["workspace_id"]: row.amount_usd for row in by_sums.rows} == {
            "w1": 7,
            None: Decimal("-0.5"),
        }

    def test_read_no_fact_where_sums_answer(self, connection):
        put(connection, record("5", model="a", workspace_id="w1"))
        put_usage(connection, used("a", "w1", 5))
        query = CostQuery(connection.account_id, WEEK, {"model": ["a"]})

        with database.execute_wrapper(_refuse_facts):
            assert selectors.total(query) == 5
            assert selectors.summarise(query, group_by=["workspace_id"], granularity="week").total_usd == 5
            assert selectors.filter_values(query, "workspace_id") == ["w1"]
            assert usage.summarise(query, group_by=["workspace_id"]).totals["total_tokens"] == 25


def _refuse_facts(execute: Any, sql: str, *rest: Any) -> Any:
    assert "costs_costfact" not in sql
    # Whether any row has counts of other names is one look at a partial index, inside of another question.
    assert '"costs_usagefact"."' not in sql
    return execute(sql, *rest)


class TestChosenDays:
    """Ranges of days say the same as the condition on each row, whichever report answers for which day."""

    @pytest.fixture
    def query(self, connection) -> CostQuery:
        """Of three days the first and the last have two reports that agree, and the day between them has one."""
        put(connection, *(record("1", day, model="a") for day in sorted(DAYS)))
        window = Window(connection.pk, "analytics_cost", DAYS - {MONDAY + _DAY}, as_of=T0, observed_at=T0)
        rows = [replace(record("1", day, model="a"), source="analytics_cost") for day in sorted(window.days)]
        with transaction.atomic():
            replace_window(window, rows)
        return CostQuery(connection.account_id, WEEK)

    @pytest.mark.parametrize("most", [0, 2, 200])
    @pytest.mark.parametrize("group_by", [["model"], ["api_key_id"]])
    def test_are_those_of_each_row(self, query, group_by, most, monkeypatch):
        monkeypatch.setattr(source_precedence, "MOST_RUNS", most)
        asked = selectors.source_question("cost", query, group_by)
        each = CostFact.objects.filter(source_precedence.is_resolved_source(asked, "costs_costfact"))

        ranges = CostFact.objects.filter(source_precedence.resolved_days(asked, "costs_costfact"))

        assert set(ranges) == set(each)
        assert len(ranges) == 3

    def test_follow_the_report_that_answers(self, query):
        asked = selectors.source_question("cost", query, ["api_key_id"])

        found = CostFact.objects.filter(source_precedence.resolved_days(asked, "costs_costfact"))

        assert [fact.source for fact in found.order_by("day")] == [
            "analytics_cost",
            "cost_report",
            "analytics_cost",
        ]

    def test_are_none_where_nothing_is_stored(self, account):
        asked = selectors.source_question("cost", CostQuery(account.pk, WEEK), ["model"])

        assert not CostFact.objects.filter(source_precedence.resolved_days(asked, "costs_costfact")).exists()
        assert selectors.total(CostQuery(account.pk, WEEK)) == 0
