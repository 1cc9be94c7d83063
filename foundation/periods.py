"""Owns days and half-open day ranges in UTC; must not read a clock or know a time zone other than UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def _require_day(value: object) -> date:
    # A datetime is a date to Python; mixing the two is how a row lands on the wrong day.
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError(f"a day must be a date, not {type(value).__name__}")
    return value


@dataclass(frozen=True, slots=True)
class DayRange:
    """UTC days from `start` (inclusive) to `end` (exclusive); may be empty, never backwards."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if _require_day(self.end) < _require_day(self.start):
            raise ValueError(f"a day range cannot end ({self.end}) before it starts ({self.start})")

    def __len__(self) -> int:
        return (self.end - self.start).days

    def __contains__(self, day: object) -> bool:
        return self.start <= _require_day(day) < self.end

    def days(self) -> Iterator[date]:
        """Every day of the range, oldest first."""
        return (self.start + timedelta(days=offset) for offset in range(len(self)))

    def split_newest_first(self, max_days: int) -> list[DayRange]:
        """Cut into windows of `max_days`, counted back from the end: only the oldest may be shorter."""
        if max_days < 1:
            raise ValueError("a window holds at least one day")
        windows = []
        end = self.end
        while end > self.start:
            start = max(self.start, end - timedelta(days=max_days))
            windows.append(DayRange(start, end))
            end = start
        return windows


def add_months(day: date, months: int) -> date:
    """The same day some months later, or earlier; the last one of a month that is too short for it."""
    years, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + years, month + 1, 1)
    return min(first + timedelta(days=day.day - 1), _month_end(first) - timedelta(days=1))


def _month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def months_touched(days: DayRange) -> int:
    """In how many months a range has days."""
    last = days.end - timedelta(days=1)
    return (last.year - days.start.year) * 12 + last.month - days.start.month + 1


def same_days_months_before(days: DayRange) -> DayRange:
    """
    The same days one month earlier; of a range that touches several months, as many months earlier.

    Whole months come before whole ones, however long they are: October before November, the third quarter before
    the fourth. The two ranges never overlap.
    """
    months = months_touched(days)
    last = days.end - timedelta(days=1)
    is_month_end = days.end.day == 1
    end = add_months(days.end, -months) if is_month_end else add_months(last, -months) + timedelta(days=1)
    return DayRange(add_months(days.start, -months), end)


def is_whole_month(days: DayRange) -> bool:
    """Whether a range is exactly one month of the calendar."""
    return days.start.day == 1 and days.end == _month_end(days.start)


def day_start(day: date) -> datetime:
    """Midnight UTC at which the day begins."""
    day = _require_day(day)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def utc_day(moment: datetime) -> date:
    """The UTC day a moment falls on; a moment without a zone is refused, since its day is a guess."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC).date()


def trailing(end: date, days: int) -> DayRange:
    """The `days` days before `end` (exclusive)."""
    return DayRange(end - timedelta(days=days), end)
