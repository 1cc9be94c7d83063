from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from django.db import connection as database
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Account
from costs.ingest import Ingested, Window, replace_window
from costs.models import CostFact, DayDigest, Restatement, SupersededCost
from costs.records import CostRecord, Origin
from integrations.models import Connection

MONDAY = dt.date(2026, 11, 16)
DAYS = frozenset(MONDAY + dt.timedelta(days=n) for n in range(3))
T0 = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)


def record(amount: str, day: dt.date = MONDAY, **dimensions) -> CostRecord:
    return CostRecord(
        day=day, origin=Origin.CLAUDE_PLATFORM, source="cost_report", amount_usd=Decimal(amount), **dimensions
    )


@pytest.fixture
def connection(account: Account) -> Connection:
    return make_connection(account)


def make_connection(account: Account) -> Connection:
    return Connection.objects.create(
        account=account,
        origin="claude_platform",
        label="A",
        organization_id="o1",
        backfill_days=365,
        wanted_from="2025-11-01",
    )


def put(connection: Connection, *records: CostRecord, minutes: int = 0, days=DAYS, day_ends=None):
    at = T0 + dt.timedelta(minutes=minutes)
    window = Window(connection.pk, "cost_report", days, as_of=at, observed_at=at, day_ends=day_ends or {})
    with transaction.atomic():
        return replace_window(window, records)


def amounts() -> list[Decimal]:
    return sorted(CostFact.objects.values_list("amount_usd", flat=True))


class TestReplaceWindow:
    def test_stores_every_digit(self, connection):
        put(connection, record("0.01234567890123456789012345"))

        assert str(CostFact.objects.get().amount_usd) == "0.01234567890123456789012345"

    def test_counts_what_happened_to_rows(self, connection):
        put(connection, record("1", model="a"), record("2", model="b"), record("3", model="c"))

        again = put(
            connection, record("1", model="a"), record("2.5", model="b"), record("4", model="d"), minutes=1
        )

        assert (again.added, again.changed, again.removed, again.unchanged) == (1, 1, 1, 1)
        assert amounts() == [Decimal(1), Decimal("2.5"), Decimal(4)]

    def test_removes_a_row_that_vanished_upstream(self, connection):
        put(connection, record("1", model="a"), record("2", model="b"))

        put(connection, record("1", model="a"), minutes=1)

        assert amounts() == [Decimal(1)]

    def test_empties_a_day_that_became_empty(self, connection):
        put(connection, record("1"))

        put(connection, minutes=1)

        assert amounts() == []
        assert Restatement.objects.get().after_usd == 0

    def test_leaves_days_outside_the_answer_alone(self, connection):
        tuesday = MONDAY + dt.timedelta(days=1)
        put(connection, record("1"), record("2", day=tuesday))

        put(connection, record("5", day=tuesday), minutes=1, days=frozenset({tuesday}))

        assert amounts() == [Decimal(1), Decimal(5)]

    def test_keeps_null_and_empty_workspace_apart(self, connection):
        put(connection, record("1", workspace_id=None), record("2", workspace_id=""))

        assert amounts() == [Decimal(1), Decimal(2)]

    def test_sums_rows_of_equal_key(self, connection):
        put(connection, record("1", model="a"), record("2", model="a"))

        assert amounts() == [Decimal(3)]

    def test_refuses_a_record_outside_the_window(self, connection):
        with pytest.raises(ValueError, match="does not belong"):
            put(connection, record("1", day=MONDAY - dt.timedelta(days=1)))

    def test_refuses_a_record_of_another_report(self, connection):
        """Filed under the report that was asked for, the same money would be counted in two reports."""
        put(connection, record("1"))

        with pytest.raises(ValueError, match="does not belong"):
            put(connection, replace(record("2"), source="analytics_cost"), minutes=1)

        assert amounts() == [Decimal(1)]

    def test_does_not_let_an_older_answer_undo_a_newer_one(self, connection):
        put(connection, record("2"), minutes=10)

        late = put(connection, record("1"), minutes=5)

        assert amounts() == [Decimal(2)]
        assert late.days_changed == ()

    def test_takes_a_newer_answer_whose_last_day_is_known_less_far(self, connection):
        yesterday, today = T0.date() - dt.timedelta(days=1), T0.date()
        days = frozenset({yesterday, today})
        put(connection, record("1", day=yesterday), record("3", day=today), days=days)

        put(
            connection, record("2", day=yesterday), record("4", day=today), minutes=1, days=days,
            day_ends={today: T0 - dt.timedelta(minutes=30)},
        )  # fmt: skip

        # Of today the stored rows know more; yesterday was over in both answers.
        assert amounts() == [Decimal(2), Decimal(3)]

    def test_notes_of_each_day_by_when_it_is_known(self, connection):
        yesterday, today = T0.date() - dt.timedelta(days=1), T0.date()
        known_by = T0 - dt.timedelta(minutes=30)

        put(connection, days=frozenset({yesterday, today}), day_ends={today: known_by})

        assert dict(DayDigest.objects.values_list("day", "as_of")) == {yesterday: T0, today: known_by}

    def test_stores_that_a_day_was_asked_and_empty(self, connection):
        put(connection)

        assert set(DayDigest.objects.values_list("day", "row_count")) == {(day, 0) for day in DAYS}


class TestSameWindowTwice:
    def test_counts_every_row_as_unchanged(self, connection):
        put(connection, record("1", model="a"), record("2", model="b"))

        again = put(connection, record("2.00", model="b"), record("1.0", model="a"), minutes=1)

        assert (again.added, again.changed, again.removed, again.unchanged) == (0, 0, 0, 2)
        assert Restatement.objects.count() == 0

    def test_notes_that_the_day_was_confirmed(self, connection):
        put(connection, record("1"))

        put(connection, record("1"), minutes=1)

        assert set(DayDigest.objects.values_list("as_of", flat=True)) == {T0 + dt.timedelta(minutes=1)}


@pytest.mark.django_db(transaction=True)
class TestNoWrite:
    def test_writes_no_tuple_of_the_fact_table_for_an_equal_window(self):
        connection = make_connection(Account.objects.create(name="A"))
        start = written_tuples()
        put(connection, record("1", model="a"), record("2", model="b"))
        before = written_tuples()

        put(connection, record("1", model="a"), record("2", model="b"), minutes=1)

        assert before[0] - start[0] == 2
        assert written_tuples() == before


def written_tuples() -> tuple[int, int, int]:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = 'costs_costfact'"
        )
        return cursor.fetchone()


class TestRestatement:
    def test_records_before_and_after_of_the_day(self, connection):
        put(connection, record("1", model="a"), record("2", model="b"))

        put(connection, record("1.5", model="a"), record("4", model="c"), minutes=1)

        found = Restatement.objects.get()
        assert (found.day, found.before_usd, found.after_usd) == (MONDAY, Decimal(3), Decimal("5.5"))
        assert (found.rows_added, found.rows_changed, found.rows_removed) == (1, 1, 1)

    def test_keeps_the_old_versions(self, connection):
        put(connection, record("1", model="a"), record("2", model="b"))

        put(connection, record("1.5", model="a"), minutes=1)

        old = SupersededCost.objects.order_by("amount_usd").values_list(
            "model", "amount_usd", "superseded_at"
        )
        later = T0 + dt.timedelta(minutes=1)
        assert list(old) == [("a", Decimal(1), later), ("b", Decimal(2), later)]

    def test_is_not_made_for_a_day_seen_for_the_first_time(self, connection):
        put(connection, record("1"))

        assert Restatement.objects.count() == 0

    def test_says_when_the_earlier_content_was_read_before_the_day_ended(self, connection):
        today = T0.date()
        put(connection, record("1", day=today), days=frozenset({today}))

        put(connection, record("2", day=today), days=frozenset({today}), minutes=1)

        assert Restatement.objects.get().was_provisional


row = st.builds(
    lambda day, model, cents: record(f"{cents}e-2", day=MONDAY + dt.timedelta(days=day), model=model),
    st.integers(0, 2), st.sampled_from(["a", "b", "c", None]), st.integers(-500, 500),
)  # fmt: skip


class TestAnyHistory:
    @settings(
        max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    @given(answers=st.lists(st.lists(row, max_size=8), min_size=1, max_size=5))
    def test_ends_with_exactly_the_last_answer(self, connection, answers):
        CostFact.objects.all().delete()
        DayDigest.objects.all().delete()

        for minute, answer in enumerate(answers):
            put(connection, *answer, minutes=minute)

        expected: dict = {}
        for each in answers[-1]:
            expected[each.day, each.model] = (
                expected.get((each.day, each.model), Decimal(0)) + each.amount_usd
            )
        stored = {(fact.day, fact.model): fact.amount_usd for fact in CostFact.objects.all()}
        assert stored == expected
        totals = {digest.day: digest.amount_usd for digest in DayDigest.objects.all()}
        assert sum(totals.values()) == sum(expected.values())


@dataclass(frozen=True)
class Answer:
    """The rows of some days, in pages, as of a minute; the process that writes it may die."""

    days: frozenset[dt.date]
    pages: list[list[CostRecord]]
    as_of: int
    dies: bool = False

    def amounts(self, day: dt.date) -> dict[str | None, Decimal]:
        found: dict[str | None, Decimal] = {}
        for each in itertools.chain.from_iterable(self.pages):
            if each.day == day:
                found[each.model] = found.get(each.model, Decimal(0)) + each.amount_usd
        return found

    def write(self, connection: Connection, minute: int) -> Ingested | None:
        window = Window(
            connection.pk, "cost_report", self.days, as_of=T0 + dt.timedelta(minutes=self.as_of),
            observed_at=T0 + dt.timedelta(hours=1, minutes=minute),
        )  # fmt: skip
        with transaction.atomic():
            written = replace_window(window, itertools.chain.from_iterable(self.pages))
            # As if the process had died after it had written and before it could commit.
            transaction.set_rollback(self.dies)
        return None if self.dies else written


@st.composite
def answers_of(draw: st.DrawFn) -> Answer:
    days = draw(st.frozensets(st.sampled_from(sorted(DAYS)), min_size=1))
    rows = [each for each in draw(st.lists(row, max_size=8)) if each.day in days]
    cut = draw(st.integers(0, len(rows)))
    return Answer(days, [rows[:cut], rows[cut:]], draw(st.integers(0, 9)), draw(st.booleans()))


class TestAnyHistoryOfPagesRestatementsAndCrashes:
    """Against a model that is a dictionary: what each day was last told to be, and every version it was before."""

    @settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(answers=st.lists(answers_of(), min_size=1, max_size=7), shuffler=st.randoms())
    def test_keeps_the_newest_of_each_day_and_every_version_before(self, connection, answers, shuffler):
        for table in (CostFact, DayDigest, SupersededCost, Restatement):
            table.objects.all().delete()
        told: dict[dt.date, tuple[int, dict[str | None, Decimal]]] = {}
        versions: Counter[tuple[dt.date, str | None, Decimal]] = Counter()

        for minute, answer in enumerate(answers):
            written = answer.write(connection, minute)
            for day in answer.days if written else ():
                as_of, before = told.get(day, (0, {}))
                now = answer.amounts(day)
                if as_of <= answer.as_of:
                    told[day] = answer.as_of, now
                    versions.update((day, key, was) for key, was in before.items() if now.get(key) != was)

        assert stored() == {day: amounts for day, (_, amounts) in told.items()}
        assert Counter(SupersededCost.objects.values_list("day", "model", "amount_usd")) == versions

        # Once more, the pages and their rows in any other order: nothing is written.
        rows = list(CostFact.objects.order_by("pk").values_list())
        for again in answers:
            if all(again.amounts(day) == told.get(day, (0, None))[1] for day in again.days):
                pages = shuffler.sample(
                    [shuffler.sample(page, len(page)) for page in again.pages], len(again.pages)
                )
                repeated = replace(again, pages=pages, as_of=10, dies=False).write(connection, 10)
                assert (repeated.added, repeated.changed, repeated.removed) == (0, 0, 0)
        assert list(CostFact.objects.order_by("pk").values_list()) == rows


def stored() -> dict[dt.date, dict[str | None, Decimal]]:
    """Every day that was ever told, with its rows; its digest agrees with them."""
    found: dict[dt.date, dict[str | None, Decimal]] = {}
    for digest in DayDigest.objects.all():
        rows = dict(CostFact.objects.filter(day=digest.day).values_list("model", "amount_usd"))
        assert (digest.row_count, digest.amount_usd) == (len(rows), sum(rows.values()))
        found[digest.day] = rows
    assert CostFact.objects.exclude(day__in=found).count() == 0
    return found
