from __future__ import annotations

import datetime as dt

import pytest

from dashboard import ranges
from foundation.periods import DayRange


def days(first: str, end: str) -> DayRange:
    return DayRange(dt.date.fromisoformat(first), dt.date.fromisoformat(end))


class TestPeriod:
    @pytest.mark.parametrize(
        ("key", "shown", "previous"),
        [
            ("7d", days("2026-11-15", "2026-11-22"), days("2026-11-08", "2026-11-15")),
            ("30d", days("2026-10-23", "2026-11-22"), days("2026-09-23", "2026-10-23")),
            ("90d", days("2026-08-24", "2026-11-22"), days("2026-05-26", "2026-08-24")),
            ("mtd", days("2026-11-01", "2026-11-22"), days("2026-10-01", "2026-10-22")),
            ("last-month", days("2026-10-01", "2026-11-01"), days("2026-09-01", "2026-10-01")),
            ("qtd", days("2026-10-01", "2026-11-22"), days("2026-07-01", "2026-08-22")),
            ("ytd", days("2026-01-01", "2026-11-22"), days("2025-01-01", "2025-11-22")),
            ("12m", days("2025-11-22", "2026-11-22"), days("2024-11-22", "2025-11-22")),
        ],
    )
    def test_holds_complete_days_and_their_counterpart(self, key, shown, previous):
        period = ranges.period(key, dt.date(2026, 11, 22))

        assert (period.days, period.previous) == (shown, previous)

    def test_shows_the_running_day_on_the_first_of_a_month(self):
        period = ranges.period("mtd", dt.date(2026, 12, 1))

        assert period.days == days("2026-12-01", "2026-12-02")
        assert period.previous == days("2026-11-01", "2026-11-02")

    def test_never_compares_with_days_of_the_month_itself(self):
        """31 March has thirty days before it in its month; February has 28."""
        assert ranges.period("mtd", dt.date(2026, 3, 31)).previous == days("2026-02-01", "2026-03-01")

    @pytest.mark.parametrize("key", [None, "", "nonsense"])
    def test_falls_back_to_thirty_days(self, key):
        assert ranges.period(key, dt.date(2026, 11, 22)).key == "30d"


class TestCustom:
    @pytest.mark.parametrize(
        ("shown", "previous"),
        [
            # Whole months, quarters and years, however long they are.
            (days("2026-10-01", "2026-11-01"), days("2026-09-01", "2026-10-01")),
            (days("2026-03-01", "2026-04-01"), days("2026-02-01", "2026-03-01")),
            (days("2024-02-01", "2024-03-01"), days("2024-01-01", "2024-02-01")),
            (days("2026-10-01", "2026-12-01"), days("2026-08-01", "2026-10-01")),
            (days("2026-10-01", "2027-01-01"), days("2026-07-01", "2026-10-01")),
            (days("2024-01-01", "2025-01-01"), days("2023-01-01", "2024-01-01")),
            # From the first of a month, quarter or year until a day inside it.
            (days("2026-11-01", "2026-11-22"), days("2026-10-01", "2026-10-22")),
            (days("2026-03-01", "2026-03-31"), days("2026-02-01", "2026-03-01")),
            (days("2026-10-01", "2026-11-22"), days("2026-07-01", "2026-08-22")),
            (days("2026-01-01", "2026-11-22"), days("2025-01-01", "2025-11-22")),
            # Any other days.
            (days("2026-11-10", "2026-11-13"), days("2026-11-07", "2026-11-10")),
            (days("2026-09-01", "2026-11-22"), days("2026-06-11", "2026-09-01")),
            (days("2026-10-31", "2026-11-01"), days("2026-10-30", "2026-10-31")),
        ],
    )
    def test_is_compared_with_its_counterpart(self, shown, previous):
        assert ranges.custom(shown).previous == previous


class TestSameDays:
    @pytest.mark.parametrize("today", [dt.date(2026, 11, 22), dt.date(2026, 11, 8), dt.date(2027, 2, 15)])
    @pytest.mark.parametrize("key", ["mtd", "last-month"])
    def test_are_compared_alike_by_preset_and_by_hand(self, key, today):
        preset = ranges.period(key, today)

        assert ranges.custom(preset.days).previous == preset.previous

    @pytest.mark.parametrize(
        ("key", "today"),
        [
            ("last-month", dt.date(2026, 12, 5)),
            ("30d", dt.date(2026, 12, 1)),
            ("qtd", dt.date(2026, 11, 1)),
            ("ytd", dt.date(2026, 2, 1)),
        ],
    )
    def test_of_a_whole_month_are_compared_with_the_month_before(self, key, today):
        preset = ranges.period(key, today)

        assert ranges.custom(preset.days).previous == preset.previous

    def test_can_be_compared_with_the_month_before_in_any_range(self):
        week = ranges.period("7d", dt.date(2026, 11, 22)).a_month_before()

        assert week.previous == days("2026-10-15", "2026-10-22")
