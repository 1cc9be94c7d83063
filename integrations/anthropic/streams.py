"""Owns the table of what is read from Anthropic: one Stream per report, with its windows, pages and meaning; does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from costs.records import CostRecord, NameRecord, Origin
from integrations.anthropic.client import COST_REPORT_MAX_DAYS, cost_report_request, workspaces_request
from integrations.anthropic.normalise import read_cost_report, read_workspaces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from costs.periods import DayRange
    from integrations.pages import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What the pages of one window say.

    Shape:   `covered` holds the days that may be replaced (also by nothing); always empty for names
    """

    records: list[CostRecord] | list[NameRecord]
    covered: frozenset[date]

    @property
    def costs(self) -> list[CostRecord]:
        """The cost records; none for a stream of names."""
        return [record for record in self.records if isinstance(record, CostRecord)]

    @property
    def names(self) -> list[NameRecord]:
        """The name records; none for a stream of costs."""
        return [record for record in self.records if isinstance(record, NameRecord)]


@dataclass(frozen=True, slots=True)
class Stream:
    """
    One upstream report as the engine reads it.

    Shape:   `max_window_days` None: not by day, the window is ignored; `reread_setting` names the setting
             with the trailing days to read again, None where each reading is whole
    """

    name: str
    family: Literal["classic"]
    kind: Literal["cost", "names"]
    origin: Origin
    max_window_days: int | None
    reread_setting: str | None
    _first_page: Callable[[DayRange | None], PageRequest]
    _read: Callable[[DayRange | None, Sequence[bytes], Sequence[str | None]], Reading]

    def first_page(self, window: DayRange | None) -> PageRequest:
        """Build the request that begins a window."""
        return self._first_page(window)

    def next_page(self, request: PageRequest, page: Page) -> PageRequest | None:
        """Build the request after a page: the same query with its cursor, or None after the last one."""
        return replace(request, cursor=page.next_cursor) if page.has_more else None

    def read(
        self, window: DayRange | None, bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()
    ) -> Reading:
        """Normalise all pages of a window; UpstreamError (upstream_unreadable) if they cannot be trusted."""
        return self._read(window, bodies, request_ids)

    def normalise(
        self, window: DayRange | None, bodies: Sequence[bytes]
    ) -> list[CostRecord] | list[NameRecord]:
        """Like `read`, the records only."""
        return self.read(window, bodies).records


def _days(window: DayRange | None) -> DayRange:
    if window is None:
        raise ValueError("this stream is read by day: a window is needed")
    return window


def _read_cost_report(
    window: DayRange | None, bodies: Sequence[bytes], request_ids: Sequence[str | None]
) -> Reading:
    report = read_cost_report(_days(window), bodies, request_ids=request_ids)
    return Reading(report.records, report.covered)


def _read_workspaces(
    _window: DayRange | None, bodies: Sequence[bytes], request_ids: Sequence[str | None]
) -> Reading:
    return Reading(read_workspaces(bodies, request_ids=request_ids), frozenset())


COST_REPORT = Stream(
    name="cost_report",
    family="classic",
    kind="cost",
    origin=Origin.CLAUDE_PLATFORM,
    max_window_days=COST_REPORT_MAX_DAYS,
    reread_setting="REREAD_DAYS_PLATFORM",
    _first_page=lambda window: cost_report_request(_days(window)),
    _read=_read_cost_report,
)

WORKSPACES = Stream(
    name="workspaces",
    family="classic",
    kind="names",
    origin=Origin.CLAUDE_PLATFORM,
    max_window_days=None,
    reread_setting=None,
    _first_page=lambda _window: workspaces_request(),
    _read=_read_workspaces,
)

STREAMS: Mapping[str, Stream] = {stream.name: stream for stream in (COST_REPORT, WORKSPACES)}
