"""Owns the classic usage report: the tokens of a Claude Console organisation, by key, account, workspace, model and tier."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from costs.records import Origin, merge_equal_keys
from costs.usage_records import UsageRecord
from integrations.anthropic import endpoints, wire
from integrations.anthropic.report_spec import ParsedWindow
from integrations.anthropic.reports import actors
from integrations.anthropic.reports.counts import read_counts
from integrations.anthropic.reports.days import Days, refuse_holes, window_query
from integrations.anthropic.reports.fields import read_columns, read_word
from integrations.anthropic.reports.paging import read_rows
from integrations.pages import PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from costs.records import Scalar
    from foundation.periods import DayRange

MAX_DAYS = 31
# Upstream allows five of its nine dimensions in one query. These are the ones that say whose usage it is and at
# which rate it is billed; context window and geography stand beside the amounts in the cost report, of which
# usage is only the share of each key and person.
GROUP_BY = ("api_key_id", "account_id", "workspace_id", "model", "service_tier")
_COLUMNS = ("workspace_id", "api_key_id", "model", "service_tier", "context_window", "inference_geo", "speed")
# Whose a row is, in upstream's own order of attribution: the person, else the service account, else the key.
_ACTORS = (
    ("account_id", actors.USER),
    ("service_account_id", actors.SERVICE_ACCOUNT),
    ("api_key_id", actors.API),
)
_NOT_COUNTS = frozenset({*_COLUMNS, *(name for name, _ in _ACTORS)})


def usage_report_request(window: DayRange) -> PageRequest:
    """Build the one canonical query of the usage report: daily, by the five dimensions."""
    query = (
        *window_query(window),
        ("bucket_width", "1d"),
        *(("group_by[]", name) for name in GROUP_BY),
        ("limit", str(MAX_DAYS)),
    )
    return PageRequest("usage_report", endpoints.USAGE_REPORT, query)


def read_usage_report(
    window: DayRange, bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()
) -> ParsedWindow:
    """
    Read all pages of one window of the classic usage report.

    Shape:   as the cost report; a workspace of null is the default one, a key of null the Playground or OAuth
    Units:   tokens; calls of the web search tool
    Raises:  UpstreamError (fatal, upstream_unreadable): as the cost report, money apart
    """
    days = Days(window)
    records: list[UsageRecord] = []
    read_rows(bodies, request_ids, partial(_add_bucket, days, records))
    refuse_holes(window, days.seen, max(days.seen, default=None))
    days.refuse_early_ends()
    covered = days.begun()
    known = sorted((record for record in records if record.day in covered), key=lambda record: record.day)
    return ParsedWindow(merge_equal_keys(known), covered, day_ends=days.ends)


def _add_bucket(
    days: Days, records: list[UsageRecord], row: wire.Row, _refreshed_at: datetime | None
) -> None:
    day = days.of_bucket(row)
    records.extend(_record(day, result) for result in wire.get_objects(row, "results"))


def _record(day: date, row: wire.Row) -> UsageRecord:
    counts = read_counts(row, _NOT_COUNTS)
    columns = read_columns(row, _COLUMNS, counts.extra)
    actor_type, actor_id = _actor(row, counts.extra)
    return UsageRecord(
        day=day,
        origin=Origin.CLAUDE_PLATFORM,
        source="usage_report",
        actor_type=actor_type,
        actor_id=actor_id,
        extra=counts.extra,
        other_counts=counts.other,
        **columns,
        **counts.known,
    )


def _actor(row: wire.Row, odd: dict[str, Scalar]) -> tuple[str | None, str | None]:
    for name, kind in _ACTORS:
        found = read_word(row, name, odd)
        if found:
            return kind, found
    return None, None
