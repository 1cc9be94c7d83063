"""Reports made of time buckets: widths, windows that snap to them, and pages that hold whole buckets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from devtools.simulator.clock import parse_instant
from devtools.simulator.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from devtools.simulator.cursors import Cursors
    from devtools.simulator.parameters import Parameters

_RANGE_ERROR = "Invalid date range: ending date must be after starting date"


@dataclass(frozen=True, slots=True)
class Width:
    """One width of bucket and how many of them make a page."""

    minutes: int
    default_limit: int
    max_limit: int

    def snap(self, moment: datetime) -> datetime:
        """Return the beginning of the bucket that holds the moment."""
        minute = moment.hour * 60 + moment.minute
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(minutes=minute - minute % self.minutes)


WIDTHS = {"1d": Width(1440, 7, 31), "1h": Width(60, 24, 168), "1m": Width(1, 60, 1440)}


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket: its bounds, and its place inside its day in minutes."""

    starting_at: datetime
    ending_at: datetime

    @property
    def day(self) -> date:
        """The UTC day that holds the bucket."""
        return self.starting_at.date()

    @property
    def minutes(self) -> tuple[int, int]:
        """First minute of the day and the one after the last."""
        start = self.starting_at.hour * 60 + self.starting_at.minute
        return start, start + int((self.ending_at - self.starting_at).total_seconds()) // 60


@dataclass(frozen=True, slots=True)
class Window:
    """The time a query covers: `first` inclusive, `last` exclusive."""

    first: datetime
    last: datetime

    def buckets(self, width: Width) -> Iterator[Bucket]:
        """Yield the whole buckets inside the window, oldest first."""
        step = timedelta(minutes=width.minutes)
        start = self.first
        while start + step <= self.last:
            yield Bucket(start, start + step)
            start += step


@dataclass(frozen=True, slots=True)
class BucketPage:
    """One page of a bucketed report, with the token of this page and of the next."""

    buckets: tuple[Bucket, ...]
    own_token: str
    next_token: str | None


def read_window(parameters: Parameters, width: Width, default_end: datetime) -> Window:
    """Return the window asked for, both ends snapped down to a bucket's edge; raises ApiError 400."""
    starting_at = require_start(parameters)
    ending_at = parameters.instant("ending_at") or default_end
    if ending_at <= starting_at:
        raise ApiError(400, _RANGE_ERROR)
    first = width.snap(starting_at)
    return Window(first, max(first, width.snap(ending_at)))


def require_start(parameters: Parameters) -> datetime:
    """Return `starting_at`; raises ApiError 400 when it is missing or no moment."""
    starting_at = parameters.instant("starting_at")
    if starting_at is None:
        raise ApiError(400, "starting_at: Field required")
    return starting_at


def cut_page(
    cursors: Cursors, question: str, token: str | None, asked: tuple[Window, Width, int]
) -> BucketPage:
    """Return the page that a token leads to, or the first one; `asked` is the window, its width and the limit."""
    window, width, limit = asked
    if token is not None:
        # The default end is part of the position: a query that began before an edge keeps its buckets after it.
        first, last = cursors.read(question, token).split("/")
        window = Window(parse_instant(first), parse_instant(last))
    step = timedelta(minutes=width.minutes)
    # Counting first: the end of all time must not overflow when a page is added to it.
    count = min(limit, (window.last - window.first) // step)
    stop = window.first + count * step
    has_more = stop < window.last
    return BucketPage(
        tuple(Window(window.first, stop).buckets(width)),
        token or cursors.issue(question, _position(window.first, window.last)),
        cursors.issue(question, _position(stop, window.last)) if has_more else None,
    )


def _position(first: datetime, last: datetime) -> str:
    return f"{first.astimezone(UTC).isoformat()}/{last.astimezone(UTC).isoformat()}"
