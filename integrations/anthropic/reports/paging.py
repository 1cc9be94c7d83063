"""Owns what all pages of one query must have in common; knows no report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from foundation.periods import day_start, utc_day
from integrations.anthropic import endpoints, wire
from integrations.errors import Fate, Reason, UpstreamError, advice, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from foundation.periods import DayRange

PAGE_TOKEN = "next_page"  # noqa: S105 - the name of a field
LAST_ID = "last_id"


def read_rows(
    bodies: Sequence[bytes],
    request_ids: Sequence[str | None],
    add: Callable[[Mapping[str, Any], datetime | None], None],
    *,
    cursor_field: str = PAGE_TOKEN,
) -> list[datetime | None]:
    """
    Hand every row of all pages to `add`, with the moment its page's data was refreshed; return those moments.

    Shape:   one page in memory at a time; rows of the pages in their order
    Raises:  UpstreamError (upstream_unreadable): a row that `add` refuses (WireError), pages that are missing or
             come twice. It names the page's request id where `request_ids` (one for each body) has it
    """
    refreshed: list[datetime | None] = []
    cursors: set[str] = set()
    last_pages = 0
    for index, body in enumerate(bodies):
        request_id = request_ids[index] if index < len(request_ids) else None
        try:
            envelope = wire.read_envelope(wire.decode(body), cursor_field)
            if envelope.has_more:
                _note(cursors, envelope.next_cursor)
            else:
                last_pages += 1
            refreshed.append(envelope.data_refreshed_at)
            for row in envelope.rows:
                add(row, envelope.data_refreshed_at)
        except wire.WireError as error:
            raise unreadable(str(error), request_id=request_id, fate=error.fate) from error
    if last_pages != 1:
        raise unreadable("its pages are not complete")
    return refreshed


def refuse_overlap(path: str, body: bytes, earlier: bytes) -> None:
    """
    Refuse a page that holds again what an earlier page of its query holds.

    Shape:   a bucket comes once. Rows of reports without buckets may be equal by chance, two of them not; lists of names
             may move while they are read, and each name counts once whatever comes
    Raises:  WireError
    """
    endpoint = endpoints.ENDPOINTS[path]
    if endpoint.cursor_field == LAST_ID:
        return
    known, found = (_marks(each, is_bucket=endpoint.rows_are_buckets) for each in (earlier, body))
    common = known & found
    if endpoint.rows_are_buckets and common:
        raise wire.WireError(f"it holds the bucket at {min(common)[:40]} again, which an earlier page has")
    if len(common) >= min(2, len(found)) > 0:
        raise wire.WireError("it holds rows again that an earlier page has")


def refuse_other_days(path: str, body: bytes, window: DayRange) -> None:
    """
    Refuse a page with a bucket of a day that was not asked for: pages that go on beyond the window need not end.

    Shape:   rows without buckets are judged with the whole window only
    Raises:  WireError
    """
    if not endpoints.ENDPOINTS[path].rows_are_buckets:
        return
    for row in wire.get_objects(wire.decode(body), "data"):
        day = utc_day(wire.get_moment(row, "starting_at"))
        if day not in window:
            raise wire.WireError(f"it holds {day}, which was not asked for, and promises more")


def _marks(body: bytes, *, is_bucket: bool) -> set[str]:
    """Return what tells the rows of a page apart: the beginning of a bucket, and all of any other row."""
    rows = wire.get_objects(wire.decode(body), "data")
    return {wire.get_text(row, "starting_at") if is_bucket else wire.canonical(row) for row in rows}


def refreshed_between() -> UpstreamError:
    """Build the error for pages of different refreshes: rows may have moved between those read and those that were not."""
    cause = "the data was refreshed while its pages were being read"
    return UpstreamError.told(advice(Reason.UPSTREAM_UNAVAILABLE, cause=cause), Fate.RESTART)


def data_as_of(refreshed: Sequence[datetime | None]) -> datetime | None:
    """
    Return the moment the data of all pages ends at.

    Shape:   None: upstream has no data for the window yet, which is not the same as none
    Raises:  UpstreamError (restart): the pages are of different refreshes
    """
    known = [moment for moment in refreshed if moment is not None]
    if len(known) < len(refreshed):
        return None
    if len(set(known)) > 1:
        raise refreshed_between()
    return known[0]


def covered_days(window: DayRange, as_of: datetime | None) -> frozenset[date]:
    """Return the days that the data of a moment knows of, also where no row speaks of them: those begun by then."""
    if as_of is None:
        return frozenset()
    return frozenset(day for day in window.days() if day_start(day) < as_of)


def _note(cursors: set[str], cursor: str | None) -> None:
    if cursor is None:
        raise wire.WireError("it promises another page but does not say which")
    if cursor in cursors:
        raise wire.WireError("it names the same next page as another page of its query")
    cursors.add(cursor)
