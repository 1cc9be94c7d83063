"""Every read query on costs: rows and sums, now or as they were known. Starts from the account, always.

Pages, API, exports and alerts ask here and nowhere else, so that one rule holds for all of them: of each day one
report is read, see `choice`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db.models import DateField, F, Model, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncMonth, TruncWeek

from costs import source_precedence, values
from costs.models import CostFact, CostHistory
from costs.read_snapshots import read_snapshot
from costs.rollups import COST_SUMS
from costs.sources import Kind
from foundation.money import sum_usd
from foundation.periods import DayRange, add_months

Granularity = Literal["total", "day", "week", "month"]
Key = tuple[str | None, ...]

# What costs can be filtered and grouped by: public name → column.
DIMENSIONS: Mapping[str, str] = {
    "connection": "connection_id",
    "origin": "origin",
    "source": "source",
    "workspace_id": "workspace_id",
    "api_key_id": "api_key_id",
    "actor_type": "actor_type",
    "actor_id": "actor_id",
    "product": "product",
    "model": "model",
    "token_type": "token_type",
    "cost_type": "cost_type",
    "service_tier": "service_tier",
    "context_window": "context_window",
    "inference_geo": "inference_geo",
    "speed": "speed",
    "description": "description",
    "attribution": "attribution",
    "cost_center": "connection__cost_center",
}
MOST_GROUPS = 3
BUCKETS: Mapping[Granularity, Any] = {
    "day": F("day"),
    "week": TruncWeek("day"),
    "month": TruncMonth("day"),
}


@dataclass(frozen=True, slots=True)
class CostQuery:
    """
    Whose costs, of which days, with which values per dimension (None selects null; several are OR).

    Shape:   `as_of`: as they were known at that moment, None for now; `keys_as_one`: grouped by actor, all keys that
             act for themselves are one
    """

    account_id: UUID
    days: DayRange
    filters: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    as_of: dt.datetime | None = None
    keys_as_one: bool = False


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One group of one bucket; `bucket` is the first day of the period, None for the whole range."""

    bucket: dt.date | None
    group: Mapping[str, str | None]
    amount_usd: Decimal
    previous_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Exact sums: the rows add up to the total, whatever they are grouped by."""

    query: CostQuery
    granularity: Granularity
    group_by: tuple[str, ...]
    total_usd: Decimal
    previous_total_usd: Decimal | None
    rows: tuple[SummaryRow, ...]


def list_facts(query: CostQuery, *, dimensions: Sequence[str] = ()) -> QuerySet[Any]:
    """Return the cost rows of the query with their connections, oldest day first; of reports that have the dimensions."""
    return _facts(query, dimensions).select_related("connection").order_by("day", "id")


def list_amounts(query: CostQuery, group_by: Sequence[str] = ()) -> QuerySet[Any]:
    """
    Return rows with the dimensions and an `amount_usd` that add up to the query, in no order.

    Shape:   sums of days where one grain has all the dimensions, facts otherwise; versions of facts as of a moment
    """
    if query.as_of:
        return _facts(query, group_by)
    grain = COST_SUMS.find_grain({*query.filters, *group_by})
    table = CostFact if grain is None else COST_SUMS.table
    days = source_precedence.resolved_days(source_question("cost", query, group_by), table._meta.db_table)
    rows = _of_query(table, query, days)
    return rows if grain is None else rows.filter(grain=grain)


def _facts(query: CostQuery, group_by: Sequence[str] = ()) -> QuerySet[Any]:
    table = CostHistory if query.as_of else CostFact
    return _of_query(
        table,
        query,
        source_precedence.is_resolved_source(source_question("cost", query, group_by), table._meta.db_table),
    )


def _of_query(table: type[Model], query: CostQuery, chosen: Any) -> QuerySet[Any]:
    facts: QuerySet[Any] = table._default_manager.filter(  # noqa: SLF001 - the way to a manager of any model
        chosen,
        connection__account_id=query.account_id,
        day__gte=query.days.start,
        day__lt=query.days.end,
    )
    if query.as_of:
        still_true = Q(superseded_at__isnull=True) | Q(superseded_at__gt=query.as_of)
        facts = facts.filter(still_true, observed_at__lte=query.as_of)
    return narrow(facts, query, DIMENSIONS)


def source_question(
    kind: Kind, query: CostQuery, group_by: Sequence[str] = ()
) -> source_precedence.SourceQuestion:
    """Return which dimensions a report must know to answer the query."""
    return source_precedence.SourceQuestion(
        kind, query.account_id, query.days, query.filters, tuple(group_by),
        query.as_of if kind == "cost" else None,
    )  # fmt: skip


def narrow(facts: QuerySet[Any], query: CostQuery, dimensions: Mapping[str, str]) -> QuerySet[Any]:
    """Apply the query's filters."""
    for name, wanted in query.filters.items():
        if name == "workspace_id":
            facts = facts.filter(values.in_workspaces(wanted, query.account_id))
        elif name == "actor_id":
            facts = facts.filter(values.of_actors(wanted))
        else:
            matches = Q(**{f"{dimensions[name]}__in": [value for value in wanted if value is not None]})
            if None in wanted:
                matches |= Q(**{f"{dimensions[name]}__isnull": True})
            facts = facts.filter(matches)
    return facts


def columns_of(query: CostQuery, group_by: Sequence[str], dimensions: Mapping[str, str]) -> dict[str, Any]:
    """Return the expressions to group by, under a name that no column has."""
    return {f"by_{name}": _column(query, name, dimensions[name]) for name in group_by}


def _column(query: CostQuery, name: str, column: str) -> Any:
    if name == "workspace_id":
        return values.workspace_column(query.account_id)
    return values.actor_column() if name == "actor_id" and query.keys_as_one else F(column)


@read_snapshot()
def summarise(
    query: CostQuery,
    *,
    group_by: Sequence[str] = (),
    granularity: Granularity = "total",
    before: DayRange | None = None,
    beside: Granularity | None = None,
) -> Summary:
    """
    Sum the costs of the query by up to three dimensions and a period.

    Shape:   rows ordered by bucket, then amount, largest first; null is a group of its own; each row has the amount
             of the same group in the range `before`, if one is given, see `counterpart`; `beside` is the period that
             the caller makes of the buckets, and that is compared
    Units:   USD, exact
    Raises:  KeyError — unknown dimension; ValueError — more than three
    """
    if len(group_by) > MOST_GROUPS:
        raise ValueError(f"at most {MOST_GROUPS} dimensions")
    sums = _sums(query, group_by, granularity)
    previous = _previous(query, before, group_by, granularity, beside or granularity) if before else None
    # A group that was there before and is gone now is a change too.
    places = [*sums, *(place for place in previous or {} if place not in sums)]
    rows = [
        SummaryRow(
            bucket=bucket,
            group=dict(zip(group_by, key, strict=True)),
            amount_usd=sums.get((bucket, key), Decimal(0)),
            previous_usd=None if previous is None else previous.get((bucket, key), Decimal(0)),
        )
        for bucket, key in places
    ]
    rows.sort(key=lambda row: (row.bucket or dt.date.min, -row.amount_usd))
    earlier = None if previous is None else sum_usd(previous.values())
    return Summary(query, granularity, tuple(group_by), sum_usd(sums.values()), earlier, tuple(rows))


@read_snapshot()
def total(query: CostQuery) -> Decimal:
    """Return the exact sum of the query in USD; zero without rows."""
    amount: Decimal | None = list_amounts(query).aggregate(sum=Sum("amount_usd"))["sum"]
    return amount if amount is not None else Decimal(0)


def _sums(
    query: CostQuery, group_by: Sequence[str], granularity: Granularity
) -> dict[tuple[dt.date | None, Key], Decimal]:
    if granularity == "total" and not group_by:
        return {(None, ()): total(query)}
    columns = columns_of(query, group_by, DIMENSIONS)
    bucket = Value(None, DateField()) if granularity == "total" else BUCKETS[granularity]
    grouped = (
        list_amounts(query, group_by)
        .values(bucket=bucket, **columns)
        .annotate(sum=Sum("amount_usd"))
        .order_by()
    )
    return {
        (first_day, tuple(_text(value) for value in key)): amount
        for first_day, *key, amount in grouped.values_list("bucket", *columns, "sum")
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _previous(
    query: CostQuery, before: DayRange, group_by: Sequence[str], granularity: Granularity, beside: Granularity
) -> dict[tuple[dt.date | None, Key], Decimal]:
    """Sum the range before, its days moved onto the query's own buckets."""
    earlier = replace(query, days=before)
    if granularity == "total":
        return _sums(earlier, group_by, "total")
    moved: dict[tuple[dt.date | None, Key], Decimal] = {}
    for (day, key), amount in _sums(earlier, group_by, "day").items():
        assert day is not None  # noqa: S101 - sums by day have a day
        bucket = counterpart(day, query.days, before, granularity, beside)
        moved[bucket, key] = moved.get((bucket, key), Decimal(0)) + amount
    return moved


def counterpart(
    day: dt.date, days: DayRange, before: DayRange, granularity: Granularity, beside: Granularity
) -> dt.date | None:
    """
    Return the bucket of a range in which a day of the range before stands.

    Shape:   days and weeks by position; `beside` months, months beside months, whatever their lengths, where both ranges
             begin with one. None: a range that was longer has days without a counterpart
    """
    months = months_moved(days, before, beside)
    if months:
        return bucket_of(add_months(day, months), granularity)
    moved = day + (days.start - before.start)
    return bucket_of(moved, granularity) if moved < days.end else None


def months_moved(days: DayRange, before: DayRange, beside: Granularity) -> int:
    """Return by how many months a range stands after the one before, where months are compared with months; 0: it is not."""
    if beside != "month" or days.start.day != 1 or before.start.day != 1:
        return 0
    return (days.start.year - before.start.year) * 12 + days.start.month - before.start.month


def bucket_of(day: dt.date, granularity: Granularity) -> dt.date:
    """Return the first day of the period a day falls into; weeks begin on Monday."""
    if granularity == "week":
        return day - dt.timedelta(days=day.weekday())
    return day.replace(day=1) if granularity == "month" else day


@read_snapshot()
def filter_values(query: CostQuery, dimension: str) -> list[str | None]:
    """Return the distinct values of one dimension inside the query, null included."""
    columns = columns_of(query, [dimension], DIMENSIONS)
    found = list_amounts(query, [dimension]).values_list(*columns.values(), flat=True)
    return sorted({_text(value) for value in found.distinct().order_by()}, key=lambda value: value or "")
