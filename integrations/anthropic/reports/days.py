"""Owns which UTC day a bucket of a report is; refuses a bucket that is another span of time than was asked for."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from costs.periods import day_start, utc_day
from integrations.anthropic import wire
from integrations.errors import unreadable

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import date, datetime

    from costs.periods import DayRange

_DAY = timedelta(days=1)


def window_query(window: DayRange) -> tuple[tuple[str, str], ...]:
    """
    Return the parameters of a window of whole days.

    The end is always sent: some reports require it, and the default of others ends before today.
    """
    return (("starting_at", _midnight(window.start)), ("ending_at", _midnight(window.end)))


def day_of(row: wire.Row, window: DayRange, refreshed_at: datetime | None = None) -> date:
    """
    Return the day of a row's `starting_at` and `ending_at`.

    Shape:   a bucket may end before its day does only where the data itself ends before (`refreshed_at`)
    Raises:  WireError: it is not one UTC day, or a day outside the window
    """
    start, end = wire.get_moment(row, "starting_at"), wire.get_moment(row, "ending_at")
    day = utc_day(start)
    if day not in window:
        # First: beside the last day of the calendar there is no other one to compare with.
        raise wire.WireError(f"it holds {day}, which was not asked for ({window.start} to {window.end})")
    is_running = refreshed_at is not None and refreshed_at <= end < day_start(day) + _DAY and start < end
    if start != day_start(day) or (end != start + _DAY and not is_running):
        raise wire.WireError(f"a bucket at {start.astimezone(UTC).isoformat()} is not one UTC day")
    return day


def note_day(days: set[date], day: date) -> None:
    """Remember a bucket's day; WireError when it was there before."""
    if day in days:
        raise wire.WireError(f"it holds {day} twice")
    days.add(day)


def refuse_holes(window: DayRange, days: Container[date], last: date | None) -> None:
    """
    Refuse a bucketed report that leaves out a day before the last one it has.

    Such reports send a bucket for every day, also when nothing happened, so a missing one is lost data. Days
    missing at the end are left alone: those have not begun yet, or upstream does not know them yet.
    """
    missing = [day for day in window.days() if day not in days and last is not None and day < last]
    if missing:
        raise unreadable(f"it leaves out {missing[0]}")


def _midnight(day: date) -> str:
    return day_start(day).strftime("%Y-%m-%dT%H:%M:%SZ")
