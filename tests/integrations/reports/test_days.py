from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from integrations.anthropic.reports.days import day_of, note_day, refuse_holes, window_query
from integrations.anthropic.wire import WireError
from tests.integrations.reports.answers import THREE_DAYS, bounds, refusal

AT_NINE = datetime(2026, 11, 19, 9, tzinfo=UTC)


class TestDayOf:
    def test_is_the_day_between_two_midnights(self):
        assert day_of(bounds("2026-11-18"), THREE_DAYS) == date(2026, 11, 18)

    def test_is_the_same_in_any_zone(self):
        row = {"starting_at": "2026-11-17T01:00:00+01:00", "ending_at": "2026-11-17T19:00:00-05:00"}

        assert day_of(row, THREE_DAYS) == date(2026, 11, 17)

    @pytest.mark.parametrize("hours", [9, 10, 23])
    def test_may_end_where_the_data_ends(self, hours):
        """Upstream rounds the end of what it knows to the hour, before or after the moment of its data."""
        assert day_of(bounds("2026-11-19", hours=hours), THREE_DAYS, AT_NINE) == date(2026, 11, 19)

    @pytest.mark.parametrize(
        ("row", "refreshed_at"),
        [
            (bounds("2026-11-19", hours=9), None),
            (bounds("2026-11-19", hours=8), AT_NINE),
            (bounds("2026-11-18", hours=9), AT_NINE),
            (bounds("2026-11-19", hours=25), AT_NINE),
            (bounds("2026-11-19", hours=-1), datetime(2026, 11, 18, tzinfo=UTC)),
            ({**bounds("2026-11-19"), "starting_at": "2026-11-19T00:00:01Z"}, None),
        ],
    )
    def test_refuses_another_span_of_time(self, row, refreshed_at):
        with pytest.raises(WireError, match="is not one UTC day"):
            day_of(row, THREE_DAYS, refreshed_at)

    @pytest.mark.parametrize("day", ["2026-11-16", "2026-11-20"])
    def test_refuses_a_day_outside_the_window(self, day):
        with pytest.raises(WireError, match=r"was not asked for \(2026-11-17 to 2026-11-20\)"):
            day_of(bounds(day), THREE_DAYS)

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
            day_of({**bounds("2026-11-18"), "starting_at": start}, THREE_DAYS)

    @pytest.mark.parametrize("name", ["starting_at", "ending_at"])
    def test_needs_both_bounds(self, name):
        with pytest.raises(WireError, match=name):
            day_of({**bounds("2026-11-18"), name: None}, THREE_DAYS)


class TestNoteDay:
    def test_refuses_a_day_that_was_there_before(self):
        days = set()
        note_day(days, THREE_DAYS.start)

        with pytest.raises(WireError, match="twice"):
            note_day(days, THREE_DAYS.start)


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
