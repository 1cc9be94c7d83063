"""Every read query on usage: rows and sums of tokens, searches and requests. Starts from the account, always."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import (
    BigIntegerField,
    Count,
    DateField,
    Exists,
    F,
    Func,
    Model,
    Q,
    QuerySet,
    Sum,
    TextField,
    Value,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from costs import selectors, source_precedence, sources
from costs.models import UpstreamNovelty, UsageFact
from costs.read_snapshots import read_snapshot
from costs.rollups import USAGE_SUMS
from costs.selectors import BUCKETS, MOST_GROUPS, CostQuery, Granularity, Key, counterpart
from costs.usage_records import TOKEN_COUNTS, UPSTREAM_COUNTS, USAGE_DIMENSIONS
from foundation.periods import DayRange

# What usage can be filtered and grouped by: public name → column.
DIMENSIONS: Mapping[str, str] = {
    "connection": "connection_id",
    "origin": "origin",
    "source": "source",
    **{name: name for name in USAGE_DIMENSIONS},
    "cost_center": "connection__cost_center",
}
COUNTS = (*TOKEN_COUNTS, "total_tokens", "web_search_requests", "requests")
_STORED = (*TOKEN_COUNTS, "web_search_requests", "requests")
# By name, None where not counted. Where something was counted that this version does not know, it stands under
# `other_counts` by its upstream names.
Counts = Mapping[str, Any]
OTHERS = "other_counts"
# More kinds than this would be an accident; what is new is listed in full on the page of its connection.
_MOST_KINDS = 50


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One group of one bucket; counts by name, `requests` None where a report among them does not count them."""

    bucket: dt.date | None
    group: Mapping[str, str | None]
    counts: Counts
    previous: Counts | None


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """
    Exact sums: the rows add up to the totals, whatever they are grouped by.

    Shape:   `left_out` names what was counted and `total_tokens` does not hold, because this version does not know it
    """

    query: CostQuery
    granularity: Granularity
    group_by: tuple[str, ...]
    totals: Counts
    previous_totals: Counts | None
    rows: tuple[UsageRow, ...]

    @property
    def left_out(self) -> list[str]:
        """The names of the counts that no total holds."""
        return sorted(others_of(self.totals))


def list_facts(query: CostQuery, *, dimensions: Sequence[str] = ()) -> QuerySet[UsageFact]:
    """Return the usage rows of the query with their connections, oldest day first; of reports that have the dimensions."""
    return _facts(query, dimensions).select_related("connection").order_by("day", "id")


@read_snapshot()
def summarise(
    query: CostQuery,
    *,
    group_by: Sequence[str] = (),
    granularity: Granularity = "total",
    before: DayRange | None = None,
    beside: Granularity | None = None,
) -> UsageSummary:
    """
    Sum the usage of the query by up to three dimensions and a period.

    Shape:   rows ordered by bucket, then tokens, most first; null is a group of its own; `before` and `beside` as in costs
    Raises:  KeyError — unknown dimension; ValueError — more than three
    """
    if len(group_by) > MOST_GROUPS:
        raise ValueError(f"at most {MOST_GROUPS} dimensions")
    sums = _sums(query, group_by, granularity)
    previous = _previous(query, before, group_by, granularity, beside or granularity) if before else None
    places = [*sums, *(place for place in previous or {} if place not in sums)]
    rows = [
        UsageRow(
            bucket=bucket,
            group=dict(zip(group_by, key, strict=True)),
            counts=sums.get((bucket, key), _NOTHING),
            previous=None if previous is None else previous.get((bucket, key), _NOTHING),
        )
        for bucket, key in places
    ]
    rows.sort(key=lambda row: (row.bucket or dt.date.min, -(row.counts["total_tokens"] or 0)))
    earlier = None if previous is None else added(previous.values())
    return UsageSummary(query, granularity, tuple(group_by), added(sums.values()), earlier, tuple(rows))


def list_unread(query: CostQuery) -> list[str]:
    """Return the counts that rows lacked, or had in a form that could not be read, between whose days the query lies."""
    told = UpstreamNovelty.objects.filter(
        connection__account_id=query.account_id, source__in=sources.of_kind("usage"), kind=UpstreamNovelty.Kind.UNREAD,
        field__in=UPSTREAM_COUNTS, first_day__lt=query.days.end, last_day__gte=query.days.start,
    )  # fmt: skip
    return sorted(set(told.values_list("field", flat=True)))


def sources_used(query: CostQuery, group_by: Sequence[str] = ()) -> list[str]:
    """Return the reports the sums are read from."""
    return source_precedence.sources_used(selectors.source_question("usage", query, group_by))


@read_snapshot()
def filter_values(query: CostQuery, dimension: str) -> list[str | None]:
    """Return the distinct values of one dimension inside the query, null included."""
    columns = selectors.columns_of(query, [dimension], DIMENSIONS)
    values = _counted(query, [dimension]).values_list(*columns.values(), flat=True).distinct().order_by()
    return sorted({None if value is None else str(value) for value in values}, key=lambda value: value or "")


def _facts(query: CostQuery, group_by: Sequence[str] = ()) -> QuerySet[UsageFact]:
    chosen = source_precedence.is_resolved_source(
        selectors.source_question("usage", query, group_by), UsageFact._meta.db_table
    )
    return _of_query(UsageFact, query, chosen)


def _counted(query: CostQuery, group_by: Sequence[str]) -> QuerySet[Any]:
    """Return rows whose counts add up to the query: sums of days where one grain has the dimensions, else facts."""
    table, grain = _table(query, group_by)
    days = source_precedence.resolved_days(
        selectors.source_question("usage", query, group_by), table._meta.db_table
    )
    return _of_cut(_of_query(table, query, days), grain)


def _table(query: CostQuery, group_by: Sequence[str]) -> tuple[type[Model], int | None]:
    grain = USAGE_SUMS.find_grain({*query.filters, *group_by})
    return (UsageFact if grain is None else USAGE_SUMS.table), grain


def _of_cut(rows: QuerySet[Any], grain: int | None) -> QuerySet[Any]:
    return rows if grain is None else rows.filter(grain=grain)


def _of_query(table: type[Model], query: CostQuery, chosen: Any) -> QuerySet[Any]:
    facts: QuerySet[Any] = table._default_manager.filter(  # noqa: SLF001 - the way to a manager of either model
        chosen,
        connection__account_id=query.account_id,
        day__gte=query.days.start,
        day__lt=query.days.end,
    )
    return selectors.narrow(facts, query, DIMENSIONS)


_Sums = dict[tuple[dt.date | None, Key], Counts]
# Of days that are not stored nothing is known, which is not zero.
UNKNOWN: Counts = dict.fromkeys(COUNTS)
_NOTHING: Counts = dict.fromkeys(COUNTS, 0)


def _sums(query: CostQuery, group_by: Sequence[str], granularity: Granularity) -> _Sums:
    columns, bucket = selectors.columns_of(query, group_by, DIMENSIONS), _bucket(granularity)
    table, grain = _table(query, group_by)
    asked = selectors.source_question("usage", query, group_by)
    days = source_precedence.resolved_days(asked, table._meta.db_table)
    # Ranges of days are a condition on either table; anything else names the one it is for.
    of_facts = (
        days if isinstance(days, Q) else source_precedence.is_resolved_source(asked, UsageFact._meta.db_table)
    )
    # Their index is empty until upstream counts something new.
    having_new = _of_query(UsageFact, query, of_facts).exclude(other_counts={}).order_by()
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in _STORED}
    grouped = (
        _of_cut(_of_query(table, query, days), grain)
        .values(bucket=bucket, **columns)
        .annotate(**sums, rows=Count("id"), counted=Count("requests"), is_new=Exists(having_new))
        .order_by()
    )
    found: _Sums = {}
    groups = list(grouped.values_list("is_new", "bucket", "rows", "counted", *sums, *columns))
    others = _others(having_new, bucket, columns) if groups and groups[0][0] else {}
    for _, bucket_day, rows, counted, *values in groups:
        sums_of = dict(zip(_STORED, values, strict=False))
        counts = {name: int(sums_of[name] or 0) for name in (*TOKEN_COUNTS, "web_search_requests")}
        key = tuple(None if value is None else str(value) for value in values[len(_STORED) :])
        new = others.get((bucket_day, key))
        found[bucket_day, key] = {
            **counts,
            "total_tokens": sum(counts[name] for name in TOKEN_COUNTS),
            # Half of a sum would be read as the whole.
            "requests": int(sums_of["requests"] or 0) if counted == rows else None,
            **({OTHERS: new} if new else {}),
        }
    return found


def _bucket(granularity: Granularity) -> Any:
    return Value(None, DateField()) if granularity == "total" else BUCKETS[granularity]


def _others(
    having_new: QuerySet[UsageFact], bucket: Any, columns: Mapping[str, Any]
) -> dict[tuple[dt.date | None, Key], dict[str, int]]:
    """
    Sum the counts that this version does not know; those of zero are none.

    No sums of days are kept of them: the facts that have any are read themselves.
    """
    keys = Func(F(OTHERS), function="jsonb_object_keys", output_field=TextField())
    names = sorted(having_new.annotate(kind=keys).values_list("kind", flat=True).distinct())[:_MOST_KINDS]
    sums = {
        f"other_{n}": Sum(Cast(KeyTextTransform(name, OTHERS), BigIntegerField()))
        for n, name in enumerate(names)
    }
    grouped = having_new.values(bucket=bucket, **columns).annotate(**sums)
    found = {}
    for bucket_day, *values in grouped.values_list("bucket", *sums, *columns):
        key = tuple(None if value is None else str(value) for value in values[len(sums) :])
        counted = zip(names, values[: len(sums)], strict=True)
        found[bucket_day, key] = {name: int(count) for name, count in counted if count}
    return found


def _previous(
    query: CostQuery, before: DayRange, group_by: Sequence[str], granularity: Granularity, beside: Granularity
) -> _Sums:
    earlier = replace(query, days=before)
    if granularity == "total":
        return _sums(earlier, group_by, "total")
    moved: dict[tuple[dt.date | None, Key], list[Counts]] = defaultdict(list)
    for (day, key), counts in _sums(earlier, group_by, "day").items():
        assert day is not None  # noqa: S101 - sums by day have a day
        moved[counterpart(day, query.days, before, granularity, beside), key].append(counts)
    return {place: added(parts) for place, parts in moved.items()}


def added(parts: Iterable[Counts]) -> Counts:
    """Add counts up; what is not counted in one of them is not counted in the sum."""
    total: dict[str, Any] = dict.fromkeys(COUNTS, 0)
    others: Counter[str] = Counter()
    for counts in parts:
        others.update(others_of(counts))
        for name in COUNTS:
            count, so_far = counts[name], total[name]
            total[name] = None if so_far is None or count is None else so_far + count
    return {**total, OTHERS: dict(others)} if others else total


def others_of(counts: Counts) -> Mapping[str, int]:
    """Return what was counted that this version does not know."""
    found: Mapping[str, int] = counts.get(OTHERS, {})
    return found
