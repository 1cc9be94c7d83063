"""Owns turning whole windows of archived pages into records; pure, and refuses what it cannot trust instead of guessing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from costs.money import AmountError, cents_to_usd
from costs.periods import day_start, utc_day
from costs.records import CostRecord, NameRecord, Origin, merge_equal_keys
from integrations.anthropic import wire
from integrations.errors import unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from costs.periods import DayRange

_CURRENCY = "USD"
_DEFAULT_WORKSPACE_NAME = "Default"


@dataclass(frozen=True, slots=True)
class CostReport:
    """
    What the pages of a window say.

    Shape:   `covered` are the days upstream answered for, with or without cost. Only these may be replaced:
             days it left out at the end of the window are unknown, not empty
    """

    records: list[CostRecord]
    covered: frozenset[date]


def read_cost_report(
    window: DayRange, bodies: Sequence[bytes], *, request_ids: Sequence[str | None] = ()
) -> CostReport:
    """
    Read all pages of one window of the classic cost report.

    Shape:   bodies in any order -> records of distinct keys, oldest day first; empty buckets give no record
    Units:   US cents as text -> US dollars
    Key:     (day, workspace_id, description and all it implies); equal keys in one answer are summed
    Raises:  UpstreamError (fatal, upstream_unreadable): a day outside the window, twice, or left out between
             others; a bucket that is not one UTC day; other money than US dollars; an amount that is no
             decimal; pages that are missing. It names the page's request id where `request_ids` (one for
             each body) has it
    """
    days: dict[date, list[CostRecord]] = {}
    last_pages = 0
    for index, body in enumerate(bodies):
        request_id = request_ids[index] if index < len(request_ids) else None
        try:
            envelope = wire.read_envelope(wire.decode(body), "next_page")
            last_pages += not envelope.has_more
            for row in envelope.rows:
                _add_bucket(days, window, wire.read_cost_bucket(row))
        except wire.WireError as error:
            raise unreadable(str(error), request_id=request_id, fate=error.fate) from error
    if last_pages != 1:
        raise unreadable("its pages are not complete")
    _refuse_holes(window, days)
    records = [record for day in sorted(days) for record in days[day]]
    return CostReport(merge_equal_keys(records), frozenset(days))


def read_workspaces(bodies: Sequence[bytes], *, request_ids: Sequence[str | None] = ()) -> list[NameRecord]:
    """
    Read all pages of the list of workspaces.

    Shape:   one record for each id, in order of appearance; the last spelling wins if the list moved while paging
    Raises:  UpstreamError (upstream_unreadable)
    """
    rows: dict[str, wire.WorkspaceRow] = {}
    for index, body in enumerate(bodies):
        request_id = request_ids[index] if index < len(request_ids) else None
        try:
            envelope = wire.read_envelope(wire.decode(body), "last_id")
            rows.update((row.id, row) for row in map(wire.read_workspace, envelope.rows))
        except wire.WireError as error:
            raise unreadable(str(error), request_id=request_id, fate=error.fate) from error
    default_id = _default_workspace_id(rows)
    return [
        NameRecord(
            kind="workspace",
            resource_id=row.id,
            name=row.name,
            archived_at=row.archived_at,
            is_default=row.id == default_id,
            attributes=row.attributes,
        )
        for row in rows.values()
    ]


def _add_bucket(days: dict[date, list[CostRecord]], window: DayRange, bucket: wire.CostBucketRow) -> None:
    day = utc_day(bucket.starting_at)
    one_day = (day_start(day), day_start(day) + timedelta(days=1))
    if (bucket.starting_at.astimezone(UTC), bucket.ending_at.astimezone(UTC)) != one_day:
        raise wire.WireError(f"a bucket at {bucket.starting_at.isoformat()} is not one UTC day")
    if day not in window:
        raise wire.WireError(f"it holds {day}, which was not asked for ({window.start} to {window.end})")
    if day in days:
        raise wire.WireError(f"it holds {day} twice")
    days[day] = [_cost_record(day, row) for row in bucket.results]


def _cost_record(day: date, row: wire.CostRow) -> CostRecord:
    if row.currency != _CURRENCY:
        raise wire.WireError(f"an amount of {day} is in {row.currency[:12]!r}, not in {_CURRENCY}")
    try:
        return CostRecord(
            day=day,
            origin=Origin.CLAUDE_PLATFORM,
            source="cost_report",
            amount_usd=cents_to_usd(row.amount),
            list_amount_usd=None if row.list_amount is None else cents_to_usd(row.list_amount),
            extra=row.extra,
            **row.dimensions,
        )
    except AmountError as error:
        raise wire.WireError(f"an amount of {day} cannot be read: {error}") from error


def _refuse_holes(window: DayRange, days: Mapping[date, object]) -> None:
    """
    Refuse a report that leaves out a day before one it has.

    The report sends a bucket for every day, also when nothing was spent, so a missing one is lost data. Days
    missing at the end are left alone: those have not begun yet, or upstream does not know them yet.
    """
    missing = [day for day in window.days() if day not in days and days and day < max(days)]
    if missing:
        raise unreadable(f"it leaves out {missing[0]}")


def _default_workspace_id(rows: Mapping[str, wire.WorkspaceRow]) -> str | None:
    """
    Tell which workspace the classic reports write as null.

    Upstream does not mark it. It is called "Default", cannot be archived, and came with the organisation, so
    it is the oldest of that name should somebody have made another one.
    """
    candidates = [
        row for row in rows.values() if row.name == _DEFAULT_WORKSPACE_NAME and row.archived_at is None
    ]
    if len(candidates) == 1:
        return candidates[0].id
    dated = [(row.created_at, row.id) for row in candidates if row.created_at is not None]
    # Without all dates the choice would be a guess, and a wrong one moves cost to another workspace.
    return min(dated)[1] if dated and len(dated) == len(candidates) else None
