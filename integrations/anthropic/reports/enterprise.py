"""Owns the four older Enterprise reports, which are read only where the analytics reports are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from costs.records import CostRecord, NameRecord, Origin, Record, merge_equal_keys
from costs.usage_records import UsageRecord
from integrations.anthropic import endpoints, wire
from integrations.anthropic.report_spec import ParsedWindow
from integrations.anthropic.reports import actors, products
from integrations.anthropic.reports.amounts import AMOUNT_FIELDS, read_amounts
from integrations.anthropic.reports.counts import read_counts
from integrations.anthropic.reports.days import Days, refuse_holes, window_query
from integrations.anthropic.reports.fields import read_columns
from integrations.anthropic.reports.paging import covered_days, data_as_of, read_rows
from integrations.pages import PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from costs.records import Scalar
    from foundation.periods import DayRange

MAX_DAYS = 31
_MAX_ROWS = 1000
# A bucket shows its hundred largest groups and never says that there were more (official Python SDK, read 2026-11).
_MAX_GROUPS = 100
_COST_PATHS = frozenset({endpoints.ENTERPRISE_COST, endpoints.ENTERPRISE_USER_COST})
_BY_USER = frozenset({endpoints.ENTERPRISE_USER_COST, endpoints.ENTERPRISE_USER_USAGE})
_COLUMNS = ("product", "model", "context_window", "inference_geo", "speed")
_COST_TYPES = ("cost_type", "token_type")
_ROW_FIELDS = frozenset({"starting_at", "ending_at", "actor"})
# Dimensions that we do not ask for and have no column for: null on every row.
_UNASKED = frozenset({"rbac_group_id", "slack_channel_id", "claude_tag_category", "claude_tag_user_id"})


@dataclass(frozen=True, slots=True)
class EnterpriseQuery:
    """One canonical query of one of the four reports."""

    name: str
    path: str
    group_by: tuple[str, ...] = ()

    @property
    def is_cost(self) -> bool:
        """Whether its rows hold amounts, not counts."""
        return self.path in _COST_PATHS

    @property
    def is_by_user(self) -> bool:
        """Whether its rows are people, not what a time bucket holds."""
        return self.path in _BY_USER

    def first_page(self, window: DayRange) -> PageRequest:
        """Build the request: by day; `limit` counts days, and rows in the reports by user."""
        query = (
            *window_query(window),
            ("bucket_width", "1d"),
            *(("group_by[]", name) for name in self.group_by),
            ("limit", str(_MAX_ROWS if self.is_by_user else MAX_DAYS)),
        )
        return PageRequest(self.name, self.path, query)

    def read(
        self, window: DayRange, bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()
    ) -> ParsedWindow:
        """
        Read all pages of one window.

        Shape:   reports by user only hold what a person caused, so their sums are lower than the bill
        Units:   US cents as text -> US dollars; tokens
        Raises:  UpstreamError (fatal, upstream_unreadable): as the analytics reports; also a bucket with so many
                 groups that upstream may have left some out; (restart): the data was refreshed between its pages
        """
        rows = _Rows(self, Days(window))
        add = rows.add_row if self.is_by_user else rows.add_bucket
        return rows.reading(data_as_of(read_rows(bodies, request_ids, add)))


@dataclass(slots=True)
class _Rows:
    """The rows of one query as they are read."""

    query: EnterpriseQuery
    days: Days
    records: list[Record] = field(default_factory=list)
    names: dict[str, NameRecord] = field(default_factory=dict)

    def add_bucket(self, bucket: wire.Row, _refreshed_at: datetime | None) -> None:
        day = self.days.of_bucket(bucket)
        results = wire.get_objects(bucket, "results")
        if self.query.group_by and len(results) >= _MAX_GROUPS:
            raise wire.WireError(
                f"{day} has {len(results)} groups, of which upstream shows {_MAX_GROUPS} at most: some may be missing"
            )
        for row in results:
            self._add(day, row)

    def add_row(self, row: wire.Row, _refreshed_at: datetime | None) -> None:
        self._add(self.days.of(row), row)

    def reading(self, refreshed_at: datetime | None) -> ParsedWindow:
        known_by = refreshed_at and self.days.known_by(refreshed_at)
        covered = covered_days(self.days.window, known_by)
        if not self.query.is_by_user:
            # A bucket is sent for every day, so one that was left out is unknown, whatever the data knows.
            refuse_holes(self.days.window, self.days.seen, max(self.days.seen, default=None))
            covered &= self.days.seen
        records = [record for record in self.records if record.day in covered]
        records.sort(key=lambda record: record.day)
        names = tuple(self.names.values()) if covered else ()
        return ParsedWindow(merge_equal_keys(records), covered, names, refreshed_at, day_ends=self.days.ends)

    def _add(self, day: date, row: wire.Row) -> None:
        odd: dict[str, Scalar] = {}
        columns = self._columns(row, odd)
        read = self._cost if self.query.is_cost else self._usage
        self.records.append(read(day, row, columns, odd))

    def _columns(self, row: wire.Row, odd: dict[str, Scalar]) -> dict[str, Any]:
        known = (*_COLUMNS, *_COST_TYPES) if self.query.is_cost else _COLUMNS
        columns = read_columns(row, known, odd)
        columns["product"] = products.normalise(columns["product"])
        if self.query.is_by_user:
            actor = row.get("actor")
            columns["actor_type"], columns["actor_id"] = actors.read_actor(actor, odd)
            name = actors.read_person(actor) if isinstance(actor, dict) else None
            if name is not None:
                self.names[name.resource_id] = name
        return columns

    def _cost(self, day: date, row: wire.Row, columns: dict[str, Any], odd: dict[str, Scalar]) -> CostRecord:
        amount, list_amount = read_amounts(row, day)
        known = AMOUNT_FIELDS | _ROW_FIELDS | columns.keys() | {"requests"}
        return CostRecord(
            day=day,
            origin=Origin.CLAUDE_AI,
            source=self.query.name,
            amount_usd=amount,
            list_amount_usd=list_amount,
            extra=_extra(row, known) | odd,
            **columns,
        )

    def _usage(
        self, day: date, row: wire.Row, columns: dict[str, Any], odd: dict[str, Scalar]
    ) -> UsageRecord:
        counts = read_counts(row, _ROW_FIELDS | columns.keys())
        return UsageRecord(
            day=day,
            origin=Origin.CLAUDE_AI,
            source=self.query.name,
            extra=counts.extra | odd,
            other_counts=counts.other,
            **columns,
            **counts.known,
        )


def _extra(row: wire.Row, known: frozenset[str]) -> dict[str, Scalar]:
    return {
        name: wire.scalar(value)
        for name, value in row.items()
        if name not in known and not (value is None and name in _UNASKED)
    }
