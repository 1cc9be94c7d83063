"""Owns what one upstream report is to the engine: its windows, its pages and what they say; does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from costs.records import NameRecord, Origin, Record
    from foundation.periods import DayRange
    from integrations.pages import Page, PageRequest

Family = Literal["classic", "analytics"]
Kind = Literal["cost", "usage", "activity", "names"]


@dataclass(frozen=True, slots=True)
class ParsedWindow:
    """
    What the pages of one window say.

    Shape:   `records` all of the spec's kind; `covered` holds the days that may be replaced (also by nothing),
             always empty for names; `names` is what the answer calls people, keys and workspaces; `as_of` is the
             moment upstream says its data ends at, None where it says nothing: then it is the request's own;
             `day_ends` is where a day ends before its midnight: it is known by then, and the other days by `as_of`;
             `unread` are rows of a list of names that could not be read, as they came
    """

    records: Sequence[Record]
    covered: frozenset[date]
    names: Sequence[NameRecord] = ()
    as_of: datetime | None = None
    unread: Sequence[str] = ()
    day_ends: Mapping[date, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """
    One upstream report as the engine reads it: always the same query, so that its rows can be compared.

    Shape:   `dimensions` are the columns its rows fill (null there is a value, elsewhere it is not known);
             `is_bill`: a day's rows add up to everything the organisation is billed for in this family;
             `max_window_days` None: not by day, the window is ignored; `depth_days`: how far back a backfill
             reads it, None for the whole depth; `settle_days`: after how many days a reading is final, None for
             as many as the surface restates; `first_available_day`: the first one upstream still reports, as of a day;
             `instead_of`: only read where that spec is refused
    """

    name: str
    family: Family
    kind: Kind
    origin: Origin
    max_window_days: int | None
    _first_page: Callable[[DayRange | None], PageRequest]
    _read: Callable[[DayRange | None, Sequence[bytes], Sequence[str | None]], ParsedWindow]
    dimensions: frozenset[str] = frozenset()
    is_bill: bool = False
    depth_days: int | None = None
    settle_days: int | None = None
    first_available_day: Callable[[date], date] | None = None
    instead_of: str | None = None

    def first_page(self, window: DayRange | None) -> PageRequest:
        """Build the request that begins a window."""
        return self._first_page(window)

    def next_page(self, request: PageRequest, page: Page) -> PageRequest | None:
        """Build the request after a page: the same query with its cursor, or None after the last one."""
        return replace(request, cursor=page.next_cursor) if page.has_more else None

    def read(
        self, window: DayRange | None, bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()
    ) -> ParsedWindow:
        """
        Normalise all pages of a window.

        Raises:  UpstreamError (upstream_unreadable) if they cannot be trusted; (restart) if they tell of
                 different states of the data, so that the query has to be asked again from page one
        """
        return self._read(window, bodies, request_ids)
