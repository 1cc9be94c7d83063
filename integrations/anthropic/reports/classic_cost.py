"""Owns the classic cost report: what a Claude Console organisation is billed, by workspace and description."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from costs.records import CostRecord, Origin, merge_equal_keys
from integrations.anthropic import endpoints, wire
from integrations.anthropic.report_spec import ParsedWindow
from integrations.anthropic.reports.amounts import AMOUNT_FIELDS, read_amounts
from integrations.anthropic.reports.days import Days, refuse_holes, window_query
from integrations.anthropic.reports.fields import read_columns
from integrations.anthropic.reports.paging import read_rows
from integrations.pages import PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from foundation.periods import DayRange

# The most buckets (days) one page may hold.
MAX_DAYS = 31
# The last line's are not of this report today; should they come, they are what they are elsewhere.
_COLUMNS = (
    "workspace_id", "model", "token_type", "cost_type", "service_tier", "context_window", "inference_geo", "description",
    "api_key_id", "product", "speed", "actor_type", "actor_id",
)  # fmt: skip
_KNOWN = AMOUNT_FIELDS | set(_COLUMNS)


def cost_report_request(window: DayRange, limit: int = MAX_DAYS) -> PageRequest:
    """
    Build the one canonical query of the cost report: daily, by workspace and description.

    Both groupings together give every field the report has; `limit` counts days.
    """
    query = (
        *window_query(window),
        ("bucket_width", "1d"),
        ("group_by[]", "workspace_id"),
        ("group_by[]", "description"),
        ("limit", str(limit)),
    )
    return PageRequest("cost_report", endpoints.COST_REPORT, query)


def read_cost_report(
    window: DayRange, bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()
) -> ParsedWindow:
    """
    Read all pages of one window of the classic cost report.

    Shape:   bodies in any order -> records of distinct keys, oldest day first; empty buckets give no record;
             `covered` are the days upstream answered for, with or without cost; of the last one it may know the
             beginning only, which `day_ends` says
    Units:   US cents as text -> US dollars
    Key:     (day, workspace_id, description and all it implies); equal keys in one answer are summed
    Raises:  UpstreamError (fatal, upstream_unreadable): a day outside the window, twice, or left out between
             others; a bucket that is not one UTC day, or ends early before the last one; other money than US dollars; an amount that is no
             decimal; pages that are missing
    """
    days = Days(window)
    records: list[CostRecord] = []
    read_rows(bodies, request_ids, partial(_add_bucket, days, records))
    refuse_holes(window, days.seen, max(days.seen, default=None))
    days.refuse_early_ends()
    covered = days.begun()
    known = sorted((record for record in records if record.day in covered), key=lambda record: record.day)
    return ParsedWindow(merge_equal_keys(known), covered, day_ends=days.ends)


def _add_bucket(days: Days, records: list[CostRecord], row: wire.Row, _refreshed_at: datetime | None) -> None:
    day = days.of_bucket(row)
    records.extend(_record(day, result) for result in wire.get_objects(row, "results"))


def _record(day: date, row: wire.Row) -> CostRecord:
    amount, list_amount = read_amounts(row, day)
    extra = {name: wire.scalar(value) for name, value in row.items() if name not in _KNOWN}
    columns = read_columns(row, _COLUMNS, extra)
    return CostRecord(
        day=day,
        origin=Origin.CLAUDE_PLATFORM,
        source="cost_report",
        amount_usd=amount,
        list_amount_usd=list_amount,
        extra=extra,
        **columns,
    )
