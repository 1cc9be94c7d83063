"""The range of an analytics query: how far back and how long it may be, and the time buckets inside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from devtools.simulator.endpoints.buckets import WIDTHS, require_start
from devtools.simulator.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from devtools.simulator.parameters import Parameters

_FLOOR = datetime(2026, 1, 1, tzinfo=UTC)
_MAX_AGE, _MAX_RANGE, _MAX_MINUTES_RANGE = timedelta(days=365), timedelta(days=31), timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of one bucket that lies in one day, in minutes of that day."""

    day: date
    minutes: tuple[int, int]
    starting_at: datetime
    ending_at: datetime


@dataclass(frozen=True, slots=True)
class Range:
    """The time a query covers, `first` inclusive and `last` exclusive, and the width of its buckets, if any."""

    first: datetime
    last: datetime
    width: str | None

    def pieces(self) -> Iterator[Piece]:
        """Yield all pieces, oldest first. Without a width the whole range is one bucket."""
        start = self.first
        while start < self.last:
            midnight = start.replace(hour=0, minute=0)
            stop = min(self.last, midnight + timedelta(days=1))
            bounds = (self.first, self.last)
            if self.width is not None:
                step = WIDTHS[self.width]
                begin = step.snap(start)
                bounds = (begin, begin + timedelta(minutes=step.minutes))
                stop = min(stop, bounds[1])
            minutes = (_minutes(start - midnight), _minutes(stop - midnight))
            yield Piece(start.date(), minutes, *bounds)
            start = stop


def read_range(parameters: Parameters, now: datetime, width: str | None) -> Range:
    """Return the range asked for; raises ApiError 400 when it is too long, too old or upside down.

    Where the provider is silent: the start snaps down to its bucket, the end to the hour (the minute for minutes),
    and a last bucket that is cut holds what lies before the end.
    """
    starting_at = require_start(parameters)
    ending_at = parameters.instant("ending_at")
    _check_history(starting_at, now)
    end = ending_at or min(now, starting_at + _MAX_RANGE)
    if end <= starting_at:
        raise ApiError(400, "Invalid date range: ending date must be after starting date")
    if end - starting_at > _MAX_RANGE:
        raise ApiError(400, "Invalid date range: the range must not exceed 31 days")
    if width == "1m" and end - starting_at > _MAX_MINUTES_RANGE:
        raise ApiError(400, "Invalid date range: the range must not exceed 24 hours with 1m buckets")
    grain = WIDTHS["1m" if width == "1m" else "1h"]
    return Range(WIDTHS[width or "1h"].snap(starting_at), grain.snap(end), width)


def require_end(parameters: Parameters, name: str) -> None:
    """Refuse a bucket width without an end."""
    if name in parameters.scalars and "ending_at" not in parameters.scalars:
        raise ApiError(400, f"ending_at: Field required when {name} is set")


def _check_history(starting_at: datetime, now: datetime) -> None:
    if starting_at < _FLOOR:
        raise ApiError(400, "starting_at: data is available from 2026-01-01T00:00:00Z")
    if starting_at < now - _MAX_AGE:
        raise ApiError(400, "starting_at: must be within the last 365 days")


def _minutes(length: timedelta) -> int:
    return int(length.total_seconds()) // 60
