from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs.variance import GroupDelta
from dashboard import figures, palette
from dashboard.chart import Canvas, Chart, draw
from dashboard.explore import table
from dashboard.explore.table import Layout
from foundation.money import sum_usd
from foundation.periods import DayRange

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

    def test_shows_twelve_series_and_the_rest(self):
        cells = {(FIRST, (f"model-{n:02}",)): Decimal(100 - n) for n in range(16)}

        chart = drawn(cells, Canvas(WEEK, "day", frozenset()))

        labels = [series.label for series in chart.series]
        assert labels == [*(f"model-{n:02}" for n in range(12)), "Other (4)"]
        assert chart.series[-1].slot == "other"

    def test_keeps_a_large_credit_out_of_the_rest(self):
        cells = {(FIRST, (f"model-{n:02}",)): Decimal(100 - n) for n in range(13)}

        chart = drawn({**cells, (FIRST, ("credit",)): Decimal(-500)}, Canvas(WEEK, "day", frozenset()))

        assert chart.series[0].label == "credit"

    @pytest.mark.parametrize(
        ("amounts", "told"),
        [
            ({"a": "-5", "b": "2"}, f"lowest {figures.dollars(Decimal(-3))}"),
            ({"a": "5", "b": "-2"}, "highest $3.00"),
            ({"a": "5", "b": "-5"}, "none"),
        ],
    )
    def test_says_what_is_highest_or_lowest_where_credits_are(self, amounts, told):
        cells = {(FIRST, (name,)): Decimal(amount) for name, amount in amounts.items()}

        assert told in drawn(cells, Canvas(WEEK, "day", frozenset())).summary

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

    def test_lacks_a_day_in_every_bar_that_adds_it_up(self):
        gap = frozenset({FIRST + dt.timedelta(days=4)})

        chart = drawn({}, Canvas(WEEK, "day", frozenset(), missing=gap, cumulative=True))

        assert [bucket.is_missing for bucket in chart.buckets] == [False] * 4 + [True] * 3
        assert "3 of 7 bars lack days that are not stored." in chart.summary

    def test_is_provisional_in_every_bar_that_adds_up_a_provisional_day(self):
        chart = drawn({}, Canvas(WEEK, "day", frozenset({FIRST + dt.timedelta(days=5)}), cumulative=True))

        assert [bucket.is_provisional for bucket in chart.buckets] == [False] * 5 + [True] * 2

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

    def test_says_which_bar_is_lowest_where_none_is_above_zero(self):
        cells = {(day, ("a",)): Decimal(-1 - day.weekday()) for day in WEEK.days()}

        summary = drawn(cells, Canvas(WEEK, "day", frozenset())).summary

        assert (
            f"lowest {figures.dollars(Decimal(-7))} on {figures.day(FIRST + dt.timedelta(days=6))}" in summary
        )


class TestColours:
    def test_do_not_depend_on_the_company_a_key_keeps(self):
        alone = palette.colours(["claude-opus-5"])
        assert palette.colours(["claude-opus-5", "zzz"])["claude-opus-5"] == alone["claude-opus-5"]

    @given(st.sets(st.text(), max_size=palette.SLOTS))
    def test_differ_while_there_are_enough(self, keys):
        assert len(set(palette.colours(keys).values())) == len(keys)


class TestTable:
    @given(st.dictionaries(st.integers(0, 30), st.tuples(AMOUNTS, AMOUNTS), min_size=1))
    def test_has_the_groups_and_the_rest_of_the_chart(self, groups):
        movements = [GroupDelta((f"{key:02}",), *both) for key, both in groups.items()]
        layout = Layout(
            ("A",), lambda key: (str(key[0]),), {}, lambda _: "", True, "-amount", table.MOST_ROWS
        )
        cells = {(FIRST, each.key): each.now_usd for each in movements}

        built = table.build(movements, layout)
        chart = draw(
            cells, Canvas(WEEK, "day", frozenset()), lambda key: str(key[0]), None, table.rank(movements)
        )

        assert sorted(one.label for one in chart.series) == sorted(row.labels[0] for row in built.lines)

    @given(st.dictionaries(st.integers(0, 30), AMOUNTS, min_size=1))
    def test_has_shares_that_add_up_to_what_was_charged(self, groups):
        movements = [GroupDelta((f"{key:02}",), amount, Decimal(0)) for key, amount in groups.items()]
        layout = Layout(("A",), lambda key: (str(key[0]),), {}, lambda _: "", False, "-amount", 10)

        shares = [row.share for row in table.build(movements, layout).lines if row.share is not None]

        assert all(0 <= share <= 100 for share in shares)
        assert abs(sum(shares) - (100 if any(amount > 0 for amount in groups.values()) else 0)) < 2

    @pytest.mark.parametrize(
        ("amounts", "shares", "total"),
        [
            (("100", "-150"), {"0": Decimal(100), "1": None}, Decimal(100)),
            (("-5", "-7"), {"0": None, "1": None}, None),
            (("75", "25", "-1"), {"0": Decimal(75), "1": Decimal(25), "2": None}, Decimal(100)),
            (("0", "0"), {"0": Decimal(0), "1": Decimal(0)}, Decimal(0)),
        ],
    )
    def test_gives_a_credit_no_share(self, amounts, shares, total):
        movements = [GroupDelta((str(n),), Decimal(amount), Decimal(0)) for n, amount in enumerate(amounts)]
        layout = Layout(("A",), lambda key: (str(key[0]),), {}, lambda _: "", False, "name", 10)

        built = table.build(movements, layout)

        assert {row.labels[0]: row.share for row in built.rows} == shares
        assert built.total.share == total

    def test_names_tokens_that_have_no_amount(self):
        movements = [GroupDelta(("a",), Decimal(8), Decimal(0))]
        tokens = {("a",): 2_000_000, **{(name,): 500_000 for name in "bcde"}}
        layout = Layout(
            ("A",), lambda key: (str(key[0]),), {}, lambda _: "", False, "name", 10, tokens=tokens
        )

        built = table.build(movements, layout)

        assert [(row.labels[0], row.tokens, row.per_million) for row in built.lines] == [
            ("a", 2_000_000, 4), ("Tokens without an amount: b, c, d, 1 more", 2_000_000, None)
        ]  # fmt: skip
        assert (built.total.tokens, built.total.per_million) == (4_000_000, 2)

    @given(st.dictionaries(st.integers(0, 30), st.tuples(AMOUNTS, AMOUNTS)))
    def test_adds_up_to_the_total(self, groups):
        movements = [GroupDelta((str(key),), *both) for key, both in groups.items()]
        layout = Layout(("A",), lambda key: (str(key[0]),), {}, lambda _: "", True, "-change", 10)

        built = table.build(movements, layout)

        assert sum_usd(row.amount for row in built.lines) == built.total.amount
        assert sum_usd(row.previous for row in built.lines) == built.total.previous
        assert built.total.amount == sum_usd(now for now, _ in groups.values())
