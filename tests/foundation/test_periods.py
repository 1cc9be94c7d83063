from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.periods import (
    DayRange,
    add_months,
    day_start,
    is_whole_month,
    same_days_months_before,
    trailing,
    utc_day,
)

NOVEMBER = DayRange(date(2026, 11, 1), date(2026, 12, 1))


class TestDayRange:
    def test_holds_its_start_and_not_its_end(self):
        assert date(2026, 11, 1) in NOVEMBER
        assert date(2026, 11, 30) in NOVEMBER
        assert date(2026, 12, 1) not in NOVEMBER
        assert date(2026, 10, 31) not in NOVEMBER

    def test_lists_its_days_oldest_first(self):
        days = list(NOVEMBER.days())

        assert len(days) == len(NOVEMBER) == 30
        assert (days[0], days[-1]) == (date(2026, 11, 1), date(2026, 11, 30))

    def test_may_be_empty(self):
        empty = DayRange(date(2026, 11, 1), date(2026, 11, 1))

        assert list(empty.days()) == []
        assert empty.split_newest_first(31) == []

    def test_cannot_end_before_it_starts(self):
        with pytest.raises(ValueError, match="cannot end"):
            DayRange(date(2026, 11, 2), date(2026, 11, 1))

    @pytest.mark.parametrize("moment", [datetime(2026, 11, 1, tzinfo=UTC), "2026-11-01", None])
    def test_refuses_what_is_not_a_day(self, moment):
        with pytest.raises(TypeError, match="must be a date"):
            DayRange(moment, date(2026, 12, 1))

    def test_refuses_to_say_whether_it_holds_a_moment(self):
        with pytest.raises(TypeError, match="must be a date"):
            assert datetime(2026, 11, 1, tzinfo=UTC) in NOVEMBER


class TestSplitNewestFirst:
    def test_counts_windows_back_from_the_end(self):
        year = trailing(date(2026, 11, 21), 70)

        assert year.split_newest_first(31) == [
            DayRange(date(2026, 10, 21), date(2026, 11, 21)),
            DayRange(date(2026, 9, 20), date(2026, 10, 21)),
            DayRange(date(2026, 9, 12), date(2026, 9, 20)),
        ]

    def test_leaves_a_short_range_whole(self):
        assert NOVEMBER.split_newest_first(31) == [NOVEMBER]

    def test_refuses_windows_of_no_days(self):
        with pytest.raises(ValueError, match="at least one day"):
            NOVEMBER.split_newest_first(0)

    @given(st.integers(0, 800), st.integers(1, 40))
    def test_covers_every_day_exactly_once(self, length, max_days):
        whole = trailing(date(2026, 11, 21), length)

        windows = whole.split_newest_first(max_days)

        assert [day for window in reversed(windows) for day in window.days()] == list(whole.days())
        assert all(len(window) == max_days for window in windows[:-1])


class TestDayStart:
    def test_is_midnight_utc(self):
        assert day_start(date(2026, 11, 1)) == datetime(2026, 11, 1, tzinfo=UTC)

    def test_refuses_a_moment(self):
        with pytest.raises(TypeError):
            day_start(datetime(2026, 11, 1, 5, tzinfo=UTC))


class TestUtcDay:
    def test_converts_before_it_cuts(self):
        evening_in_new_york = datetime(2026, 11, 1, 20, tzinfo=timezone(timedelta(hours=-5)))

        assert utc_day(evening_in_new_york) == date(2026, 11, 2)

    def test_refuses_a_moment_without_a_zone(self):
        with pytest.raises(ValueError, match="time zone"):
            utc_day(datetime(2026, 11, 1))  # noqa: DTZ001


class TestTrailing:
    def test_ends_before_its_end(self):
        assert trailing(date(2026, 11, 21), 7) == DayRange(date(2026, 11, 14), date(2026, 11, 21))


class TestMonthsBefore:
    @given(st.dates(date(2019, 1, 1), date(2031, 1, 1)), st.integers(1, 900))
    def test_never_overlap_with_the_days_they_come_before(self, start, length):
        shown = DayRange(start, start + timedelta(days=length))

        before = same_days_months_before(shown)

        assert before.end <= shown.start
        assert len(before) > 0

    @given(st.dates(date(2019, 1, 1), date(2031, 1, 1)), st.integers(1, 30))
    def test_of_whole_months_are_whole_months(self, day, months):
        start = day.replace(day=1)
        shown = DayRange(start, add_months(start, months))

        assert same_days_months_before(shown) == DayRange(add_months(start, -months), start)

    @pytest.mark.parametrize(
        ("day", "months", "found"),
        [
            (date(2026, 3, 31), -1, date(2026, 2, 28)),
            (date(2024, 1, 31), 1, date(2024, 2, 29)),
            (date(2026, 1, 5), -1, date(2025, 12, 5)),
            (date(2026, 12, 1), 1, date(2027, 1, 1)),
        ],
    )
    def test_end_where_a_month_is_too_short(self, day, months, found):
        assert add_months(day, months) == found

    @pytest.mark.parametrize(
        ("start", "end", "is_whole"),
        [
            (date(2026, 2, 1), date(2026, 3, 1), True),
            (date(2026, 12, 1), date(2027, 1, 1), True),
            (date(2026, 2, 2), date(2026, 3, 1), False),
            (date(2026, 2, 1), date(2026, 4, 1), False),
            (date(2026, 2, 1), date(2026, 2, 28), False),
        ],
    )
    def test_know_a_month_of_the_calendar(self, start, end, is_whole):
        assert is_whole_month(DayRange(start, end)) is is_whole
