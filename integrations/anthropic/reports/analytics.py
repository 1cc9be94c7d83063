"""Owns the analytics reports of both kinds of organisation: flat rows of amounts or counts, by day and up to five dimensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from costs.records import CostRecord, NameRecord, Origin, Record, merge_equal_keys
from costs.usage_records import UsageRecord
from integrations.anthropic import endpoints, wire
from integrations.anthropic.report_spec import ParsedWindow
from integrations.anthropic.reports import actors, products
from integrations.anthropic.reports.amounts import AMOUNT_FIELDS, read_amounts
from integrations.anthropic.reports.counts import read_counts
from integrations.anthropic.reports.days import Days, window_query
from integrations.anthropic.reports.fields import read_columns, read_word
from integrations.anthropic.reports.paging import covered_days, data_as_of, read_rows
from integrations.pages import PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from costs.records import Scalar
    from foundation.periods import DayRange

# The longest range of one query, and the most rows of one page. The types of cost do not count as rows, so a page
# of amounts can hold several times as many.
MAX_DAYS = 31
MAX_ROWS = 1000
Measure = Literal["cost", "usage"]
_PATHS: dict[Measure, str] = {"cost": endpoints.ANALYTICS_COST, "usage": endpoints.ANALYTICS_USAGE}
# Free of the limit of five, and of the limit of rows.
_COST_TYPES = ("cost_type", "token_type")
# The dimensions that have a column; the group's actor is a union of its own.
_USAGE_COLUMNS = (
    "workspace_id", "api_key_id", "product", "model", "service_tier", "context_window", "inference_geo", "speed",
)  # fmt: skip
_COLUMNS: dict[Measure, tuple[str, ...]] = {
    "cost": (*_USAGE_COLUMNS, *_COST_TYPES),
    "usage": _USAGE_COLUMNS,
}
_ROW_FIELDS = frozenset({"starting_at", "ending_at", "group"})


@dataclass(frozen=True, slots=True)
class AnalyticsQuery:
    """One canonical query: the same dimensions each time, so that its rows can be compared."""

    name: str
    origin: Origin
    measure: Measure
    group_by: tuple[str, ...]

    def first_page(self, window: DayRange) -> PageRequest:
        """Build the request: by day, oldest first, so that the order stays while it is being paged."""
        types = _COST_TYPES if self.measure == "cost" else ()
        query = (
            *window_query(window),
            ("time_bucket_width", "1d"),
            *(("group_by[]", name) for name in (*self.group_by, *types)),
            ("order_by", "time"),
            ("order", "asc"),
            ("limit", str(MAX_ROWS)),
        )
        return PageRequest(self.name, _PATHS[self.measure], query)

    def read(
        self, window: DayRange, bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()
    ) -> ParsedWindow:
        """
        Read all pages of one window.

        Shape:   there are no empty buckets: a day that begins before the data ends and has no row is empty, any
                 later day is unknown. Rows of equal visible keys are summed: upstream sends identities it may
                 not show as several rows
        Units:   US cents as text -> US dollars; tokens
        Raises:  UpstreamError (fatal, upstream_unreadable): a row that is not one UTC day of the window, other
                 money than US dollars, an amount that is no decimal, pages that are missing; (restart): the data was refreshed between its pages
        """
        rows = _Rows(self, Days(window))
        refreshed_at = data_as_of(read_rows(bodies, request_ids, rows.add))
        return rows.reading(refreshed_at)


def glance_request(measure: Measure, window: DayRange) -> PageRequest:
    """Build the smallest question there is: one sum over the whole window, to learn whether a key may ask."""
    return PageRequest(f"{measure} glance", _PATHS[measure], (*window_query(window), ("limit", "1")))


@dataclass(slots=True)
class _Rows:
    """The rows of one query as they are read."""

    query: AnalyticsQuery
    days: Days
    records: list[Record] = field(default_factory=list)
    names: dict[str, NameRecord] = field(default_factory=dict)

    def add(self, row: wire.Row, _refreshed_at: datetime | None) -> None:
        """Read one row; WireError."""
        day = self.days.of(row)
        group, measured = wire.get_object(row, "group"), wire.get_object(row, self.query.measure)
        extra = _extra(row, _ROW_FIELDS | {self.query.measure})
        columns = _columns(group, self.query.measure, extra)
        extra.update(_extra(group, frozenset({"actor", "actor_type", *columns})))
        self._note_name(group.get("actor"))
        if self.query.measure == "cost":
            self.records.append(self._cost(day, columns, measured, extra))
        else:
            self.records.append(self._usage(day, columns, measured, extra))

    def reading(self, refreshed_at: datetime | None) -> ParsedWindow:
        """Return what is known by then; rows of days that begin later are an incomplete tail, and left out."""
        known_by = refreshed_at and self.days.known_by(refreshed_at)
        covered = covered_days(self.days.window, known_by)
        records = [record for record in self.records if record.day in covered]
        records.sort(key=lambda record: record.day)
        names = tuple(self.names.values()) if covered else ()
        return ParsedWindow(merge_equal_keys(records), covered, names, refreshed_at, day_ends=self.days.ends)

    def _cost(
        self, day: date, columns: dict[str, Any], cost: wire.Row, extra: dict[str, Scalar]
    ) -> CostRecord:
        amount, list_amount = read_amounts(cost, day)
        # The number of requests is null here: it belongs to no single type of cost.
        extra.update(_extra(cost, AMOUNT_FIELDS | {"requests"}))
        return CostRecord(
            day=day,
            origin=self.query.origin,
            source=self.query.name,
            amount_usd=amount,
            list_amount_usd=list_amount,
            extra=extra,
            **columns,
        )

    def _usage(
        self, day: date, columns: dict[str, Any], usage: wire.Row, extra: dict[str, Scalar]
    ) -> UsageRecord:
        counts = read_counts(usage)
        return UsageRecord(
            day=day,
            origin=self.query.origin,
            source=self.query.name,
            extra=extra | counts.extra,
            other_counts=counts.other,
            **columns,
            **counts.known,
        )

    def _note_name(self, actor: Any) -> None:
        name = actors.read_person(actor) if isinstance(actor, dict) else None
        if name is not None:
            self.names[name.resource_id] = name


def _columns(group: wire.Row, measure: Measure, odd: dict[str, Scalar]) -> dict[str, Any]:
    columns = read_columns(group, _COLUMNS[measure], odd)
    columns["product"] = products.normalise(columns["product"])
    if group.get("actor") is None:
        columns["actor_type"] = read_word(group, "actor_type", odd)
    else:
        columns["actor_type"], columns["actor_id"] = actors.read_actor(group["actor"], odd)
    return columns


def _extra(row: wire.Row, known: frozenset[str]) -> dict[str, Scalar]:
    # A group names every dimension there is, null where the query did not ask for it: that says nothing.
    return {
        name: wire.scalar(value) for name, value in row.items() if name not in known and value is not None
    }
