"""Every read query on costs: rows, summaries, names. Starts from the account, always.

Pages, API, exports and alerts ask here and nowhere else, so that one rule holds for all of them.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db.models import DateField, F, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncMonth, TruncWeek

from costs.models import CostFact, ResourceName
from costs.money import sum_usd
from costs.periods import DayRange

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
    "cost_center": "connection__cost_center",
}
MOST_GROUPS = 3
_BUCKETS: Mapping[Granularity, Any] = {
    "day": F("day"),
    "week": TruncWeek("day"),
    "month": TruncMonth("day"),
}


@dataclass(frozen=True, slots=True)
class CostQuery:
    """Whose costs, of which days, with which values per dimension (None selects null; several are OR)."""

    account_id: UUID
    days: DayRange
    filters: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


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


def list_facts(query: CostQuery) -> QuerySet[CostFact]:
    """Return the current cost rows of the query with their connections, oldest day first."""
    return _facts(query).select_related("connection").order_by("day", "id")


def _facts(query: CostQuery) -> QuerySet[CostFact]:
    facts = CostFact.objects.filter(
        connection__account_id=query.account_id, day__gte=query.days.start, day__lt=query.days.end
    )
    for name, values in query.filters.items():
        column = DIMENSIONS[name]
        matches = Q(**{f"{column}__in": [value for value in values if value is not None]})
        if None in values:
            matches |= Q(**{f"{column}__isnull": True})
        facts = facts.filter(matches)
    return facts


def summarise(
    query: CostQuery,
    *,
    group_by: Sequence[str] = (),
    granularity: Granularity = "total",
    compare: bool = False,
) -> Summary:
    """
    Sum the costs of the query by up to three dimensions and a period.

    Shape:   rows ordered by bucket, then amount, largest first; null is a group of its own; with `compare`
             each row has the amount of the same group in the equally long range before (buckets by position)
    Units:   USD, exact
    Raises:  KeyError — unknown dimension; ValueError — more than three
    """
    if len(group_by) > MOST_GROUPS:
        raise ValueError(f"at most {MOST_GROUPS} dimensions")
    sums = _sums(query, group_by, granularity)
    previous = _previous(query, group_by, granularity) if compare else None
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
    before = None if previous is None else sum_usd(previous.values())
    return Summary(query, granularity, tuple(group_by), sum_usd(sums.values()), before, tuple(rows))


def total(query: CostQuery) -> Decimal:
    """Return the exact sum of the query in USD; zero without rows."""
    amount: Decimal | None = _facts(query).aggregate(sum=Sum("amount_usd"))["sum"]
    return amount if amount is not None else Decimal(0)


def _sums(
    query: CostQuery, group_by: Sequence[str], granularity: Granularity
) -> dict[tuple[dt.date | None, Key], Decimal]:
    if granularity == "total" and not group_by:
        return {(None, ()): total(query)}
    columns = {f"by_{name}": F(DIMENSIONS[name]) for name in group_by}
    bucket = Value(None, DateField()) if granularity == "total" else _BUCKETS[granularity]
    grouped = _facts(query).values(bucket=bucket, **columns).annotate(sum=Sum("amount_usd")).order_by()
    names = [f"by_{name}" for name in group_by]
    return {
        (first_day, tuple(_text(value) for value in key)): amount
        for first_day, *key, amount in grouped.values_list("bucket", *names, "sum")
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _previous(
    query: CostQuery, group_by: Sequence[str], granularity: Granularity
) -> dict[tuple[dt.date | None, Key], Decimal]:
    """Sum the equally long range before, its days moved onto the query's own buckets."""
    length = dt.timedelta(days=len(query.days))
    before = replace(query, days=DayRange(query.days.start - length, query.days.start))
    if granularity == "total":
        return _sums(before, group_by, "total")
    moved: dict[tuple[dt.date | None, Key], Decimal] = {}
    for (day, key), amount in _sums(before, group_by, "day").items():
        assert day is not None  # noqa: S101 - sums by day have a day
        bucket = bucket_of(day + length, granularity)
        moved[bucket, key] = moved.get((bucket, key), Decimal(0)) + amount
    return moved


def bucket_of(day: dt.date, granularity: Granularity) -> dt.date:
    """Return the first day of the period a day falls into; weeks begin on Monday."""
    if granularity == "week":
        return day - dt.timedelta(days=day.weekday())
    return day.replace(day=1) if granularity == "month" else day


def filter_values(query: CostQuery, dimension: str) -> list[str | None]:
    """Return the distinct values of one dimension inside the query, null included."""
    column = DIMENSIONS[dimension]
    values = _facts(query).order_by(column).values_list(column, flat=True).distinct()
    return [_text(value) for value in values]


@dataclass(frozen=True, slots=True)
class WorkspaceNames:
    """Current workspace names of an account, by (connection, id); None is the default workspace."""

    names: Mapping[tuple[str, str | None], str]

    def find(self, connection_id: str | None, workspace_id: str | None) -> str | None:
        """Return the name, searching all connections when none is given."""
        if connection_id is not None:
            return self.names.get((connection_id, workspace_id))
        return next((name for (_, key), name in self.names.items() if key == workspace_id), None)


def workspace_names(account_id: UUID) -> WorkspaceNames:
    """Return what the account's workspaces are called now."""
    found: dict[tuple[str, str | None], str] = {}
    rows = ResourceName.objects.filter(
        resource__connection__account_id=account_id, resource__kind="workspace", valid_to__isnull=True
    ).values_list("resource__connection_id", "resource__resource_id", "resource__is_default", "name")
    for connection_id, resource_id, is_default, name in rows:
        found[str(connection_id), resource_id] = name
        if is_default:
            found[str(connection_id), None] = name
    return WorkspaceNames(found)
