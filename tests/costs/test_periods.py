from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs.periods import DayRange, day_start, trailing, utc_day

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
