"""Owns which UTC day a bucket of a report is; refuses a bucket that is another span of time than was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from foundation.periods import day_start, utc_day
from integrations.anthropic import wire
from integrations.errors import unreadable

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import date, datetime

    from foundation.periods import DayRange

_DAY = timedelta(days=1)


def window_query(window: DayRange) -> tuple[tuple[str, str], ...]:
    """
    Return the parameters of a window of whole days.

    The end is always sent: some reports require it, and the default of others ends before today.
    """
    return (("starting_at", _midnight(window.start)), ("ending_at", _midnight(window.end)))


@dataclass(slots=True)
class Days:
    """
    The days of one reading, as its buckets or rows are read.

    Shape:   the last day may end before midnight, where upstream has no more of it yet: what it holds is known by then,
             and no later; `ends` holds the end of such a day
    """

    window: DayRange
    seen: set[date] = field(default_factory=set)
    ends: dict[date, datetime] = field(default_factory=dict)

    def of(self, row: wire.Row) -> date:
        """
        Return the day of a row's `starting_at` and `ending_at`.

        Raises:  WireError: it is not one UTC day or the beginning of one, or a day outside the window
        """
        start, end = wire.get_moment(row, "starting_at"), wire.get_moment(row, "ending_at")
        day = utc_day(start)
        if day not in self.window:
            # First: beside the last day of the calendar there is no other one to compare with.
            raise wire.WireError(
                f"it holds {day}, which was not asked for ({self.window.start} to {self.window.end})"
            )
        if start != day_start(day) or not start <= end <= start + _DAY:
            raise wire.WireError(f"a bucket at {start.astimezone(UTC).isoformat()} is not one UTC day")
        if end != start + _DAY:
            self.ends[day] = min(end, self.ends.get(day, end))
        self.seen.add(day)
        return day

    def of_bucket(self, row: wire.Row) -> date:
        """Return the day of a bucket, of which there is one for each day; WireError."""
        known = set(self.seen)
        day = self.of(row)
        if day in known:
            raise wire.WireError(f"it holds {day} twice")
        return day

    def known_by(self, refreshed_at: datetime | None = None) -> datetime | None:
        """
        Return the moment up to which the rows tell, None where nothing says it.

        Raises:  UpstreamError: as `refuse_early_ends`
        """
        self.refuse_early_ends()
        known = [moment for moment in (refreshed_at, *self.ends.values()) if moment is not None]
        return min(known, default=None)

    def refuse_early_ends(self) -> None:
        """
        Refuse a day that ends early before the last one, because a part of it was lost.

        Raises:  UpstreamError
        """
        last = max(self.seen, default=None)
        for day in self.ends:
            if day != last:
                raise unreadable(f"its bucket of {day} ends early, though it holds {last}")

    def begun(self) -> frozenset[date]:
        """Return the days of buckets of which at least a moment is known."""
        return frozenset(day for day in self.seen if self.ends.get(day) != day_start(day))


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
