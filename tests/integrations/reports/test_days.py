from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from integrations.anthropic.reports.days import Days, refuse_holes, window_query
from integrations.anthropic.wire import WireError
from tests.integrations.reports.answers import THREE_DAYS, bounds, refusal

AT_NINE = datetime(2026, 11, 19, 9, tzinfo=UTC)


def day_of(row: dict) -> date:
    return Days(THREE_DAYS).of(row)


class TestDayOf:
    def test_is_the_day_between_two_midnights(self):
        assert day_of(bounds("2026-11-18")) == date(2026, 11, 18)

    def test_is_the_same_in_any_zone(self):
        row = {"starting_at": "2026-11-17T01:00:00+01:00", "ending_at": "2026-11-17T19:00:00-05:00"}

        assert day_of(row) == date(2026, 11, 17)

    @pytest.mark.parametrize("hours", [0, 1, 23])
    def test_may_end_early(self, hours):
        """Today's bucket ends where upstream's data does, which it rounds to the hour."""
        assert day_of(bounds("2026-11-19", hours=hours)) == date(2026, 11, 19)

    @pytest.mark.parametrize(
        "row",
        [
            bounds("2026-11-19", hours=25),
            bounds("2026-11-19", hours=-1),
            {**bounds("2026-11-19"), "starting_at": "2026-11-19T00:00:01Z"},
        ],
    )
    def test_refuses_another_span_of_time(self, row):
        with pytest.raises(WireError, match="is not one UTC day"):
            day_of(row)

    @pytest.mark.parametrize("day", ["2026-11-16", "2026-11-20"])
    def test_refuses_a_day_outside_the_window(self, day):
        with pytest.raises(WireError, match=r"was not asked for \(2026-11-17 to 2026-11-20\)"):
            day_of(bounds(day))

    @pytest.mark.parametrize(
        "start",
        [
            "9999-12-31T00:00:00Z",
            "9999-12-31T23:59:59-05:00",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+05:00",
        ],
    )
    def test_refuses_the_ends_of_the_calendar(self, start):
        """Arithmetic on them runs off it, which would be our fault and not upstream's."""
        with pytest.raises(WireError):
            day_of({**bounds("2026-11-18"), "starting_at": start})

    @pytest.mark.parametrize("name", ["starting_at", "ending_at"])
    def test_needs_both_bounds(self, name):
        with pytest.raises(WireError, match=name):
            day_of({**bounds("2026-11-18"), name: None})

    def test_is_refused_for_a_bucket_of_a_day_that_was_there_before(self):
        days = Days(THREE_DAYS)
        days.of_bucket(bounds("2026-11-18"))

        with pytest.raises(WireError, match="twice"):
            days.of_bucket(bounds("2026-11-18"))


class TestKnownBy:
    @pytest.mark.parametrize(
        ("hours", "refreshed_at", "known_by"),
        [
            (24, None, None),
            (24, AT_NINE, AT_NINE),
            (8, None, datetime(2026, 11, 19, 8, tzinfo=UTC)),
            (8, AT_NINE, datetime(2026, 11, 19, 8, tzinfo=UTC)),
            (10, AT_NINE, AT_NINE),
        ],
    )
    def test_is_where_data_and_last_day_end(self, hours, refreshed_at, known_by):
        days = Days(THREE_DAYS)
        days.of(bounds("2026-11-18"))
        days.of(bounds("2026-11-19", hours=hours))

        assert days.known_by(refreshed_at) == known_by

    def test_is_refused_where_another_day_than_the_last_ends_early(self):
        days = Days(THREE_DAYS)
        days.of(bounds("2026-11-18", hours=9))
        days.of(bounds("2026-11-19"))

        assert "2026-11-18 ends early" in refusal(days.known_by).detail

    def test_leaves_out_a_day_of_which_no_moment_has_passed(self):
        days = Days(THREE_DAYS)
        days.of(bounds("2026-11-18"))
        days.of(bounds("2026-11-19", hours=0))

        assert days.begun() == {date(2026, 11, 18)}


class TestRefuseHoles:
    def test_lets_days_at_the_end_be_missing(self):
        assert refuse_holes(THREE_DAYS, {THREE_DAYS.start}, THREE_DAYS.start) is None
        assert refuse_holes(THREE_DAYS, set(), None) is None

    def test_names_the_first_day_left_out(self):
        last = date(2026, 11, 19)

        assert "leaves out 2026-11-17" in refusal(refuse_holes, THREE_DAYS, {last}, last).detail


def test_a_window_is_sent_with_both_ends():
    assert window_query(THREE_DAYS) == (
        ("starting_at", "2026-11-17T00:00:00Z"),
        ("ending_at", "2026-11-20T00:00:00Z"),
    )
