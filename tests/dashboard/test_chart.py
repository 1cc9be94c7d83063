from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from costs.money import sum_usd
from costs.movers import Movement
from costs.periods import DayRange
from dashboard import palette
from dashboard.chart import Canvas, Chart, draw
from dashboard.explore import table
from dashboard.explore.table import Layout

FIRST = dt.date(2026, 11, 2)  # a Monday
WEEK = DayRange(FIRST, FIRST + dt.timedelta(days=7))
AMOUNTS = st.decimals(min_value=-100, max_value=10_000, places=6)
CELLS = st.dictionaries(
    st.tuples(st.sampled_from(list(WEEK.days())), st.sampled_from([(f"model-{n}",) for n in range(14)])),
    AMOUNTS,
)


def drawn(cells, canvas, previous=None) -> Chart:
    return draw(cells, canvas, lambda key: str(key[0]), previous)


class TestDraw:
    @given(CELLS)
    def test_loses_no_amount(self, cells):
        chart = drawn(cells, Canvas(WEEK, "day", frozenset()))

        assert sum_usd(amount for series in chart.series for amount in series.amounts) == sum_usd(
            cells.values()
        )
        assert sum_usd(bucket.total for bucket in chart.buckets) == sum_usd(cells.values())

    def test_shows_eight_series_and_the_rest(self):
        cells = {(FIRST, (f"model-{n}",)): Decimal(100 - n) for n in range(12)}

        chart = drawn(cells, Canvas(WEEK, "day", frozenset()))

        assert [series.label for series in chart.series] == [*(f"model-{n}" for n in range(8)), "Other (4)"]
        assert chart.series[-1].slot == "other"

    def test_gives_every_day_a_bar_and_marks_the_provisional_ones(self):
        chart = drawn({}, Canvas(WEEK, "day", frozenset({WEEK.end - dt.timedelta(days=1)})))

        assert [bucket.is_provisional for bucket in chart.buckets] == [False] * 6 + [True]
        assert chart.summary.endswith("none.")

    def test_gathers_weeks(self):
        days = DayRange(FIRST - dt.timedelta(days=2), FIRST + dt.timedelta(days=9))
        cells = {(day, ("m",)): Decimal(1) for day in days.days()}

        chart = drawn(cells, Canvas(days, "week", frozenset()))

        assert [(bucket.first.isoformat(), bucket.total) for bucket in chart.buckets] == [
            ("2026-10-31", 2), ("2026-11-02", 7), ("2026-11-09", 2)
        ]  # fmt: skip

    def test_writes_amounts_as_text(self):
        document = drawn({(FIRST, ("m",)): Decimal("0.125")}, Canvas(WEEK, "day", frozenset())).document()

        assert document["series"][0]["amounts"][0] == "0.12"

    def test_adds_up_day_by_day_when_it_is_cumulative(self):
        cells = {(day, ("m",)): Decimal(2) for day in WEEK.days()}

        chart = drawn(cells, Canvas(WEEK, "day", frozenset(), cumulative=True), {FIRST: Decimal(5)})

        assert [bucket.total for bucket in chart.buckets] == [2, 4, 6, 8, 10, 12, 14]
        assert {bucket.previous for bucket in chart.buckets} == {5}

    def test_draws_earlier_days_beside_each_bar(self):
        chart = drawn({}, Canvas(WEEK, "day", frozenset()), {FIRST: Decimal(5)})

        assert [bucket.previous for bucket in chart.buckets] == [5, 0, 0, 0, 0, 0, 0]

    def test_does_not_mix_up_groups_of_one_name(self):
        cells = {(FIRST, ("w1",)): Decimal(1), (FIRST, ("w2",)): Decimal(2)}

        chart = draw(cells, Canvas(WEEK, "day", frozenset()), lambda _: "Default")

        assert [(series.label, series.amounts[0]) for series in chart.series] == [
            ("Default", 2),
            ("Default", 1),
        ]


class TestColours:
    def test_do_not_depend_on_the_company_a_key_keeps(self):
        alone = palette.colours(["claude-opus-5"])
        assert palette.colours(["claude-opus-5", "zzz"])["claude-opus-5"] == alone["claude-opus-5"]

    @given(st.sets(st.text(), max_size=palette.SLOTS))
    def test_differ_while_there_are_enough(self, keys):
        assert len(set(palette.colours(keys).values())) == len(keys)


class TestTable:
    @given(st.dictionaries(st.integers(0, 30), st.tuples(AMOUNTS, AMOUNTS)))
    def test_adds_up_to_the_total(self, groups):
        movements = [Movement((str(key),), *both) for key, both in groups.items()]
        layout = Layout(("A",), lambda key: (str(key[0]),), {}, lambda _: "", True, "-change", 10)

        built = table.build(movements, layout)

        assert sum_usd(row.amount for row in built.lines) == built.total.amount
        assert sum_usd(row.previous for row in built.lines) == built.total.previous
        assert built.total.amount == sum_usd(now for now, _ in groups.values())
