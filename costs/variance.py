"""Two ranges beside each other: over time, by group, and which part of a group explains its change; reads only."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.db.models import Case, DateField, F, Func, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, TruncMonth, TruncWeek

from costs.read_snapshots import read_snapshot
from costs.rollups import COST_SUMS
from costs.selectors import DIMENSIONS, CostQuery, Granularity, Key, columns_of, list_amounts, months_moved
from costs.values import is_made
from foundation.money import sum_usd
from foundation.periods import DayRange

_BUCKETS: Mapping[Granularity, Any] = {
    "total": Value(None, DateField()),
    "day": F("shown"),
    "week": TruncWeek("shown"),
    "month": TruncMonth("shown"),
}
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Driver:
    """The value of another dimension in which a group changed most."""

    dimension: str
    value: str | None
    difference_usd: Decimal


@dataclass(frozen=True, slots=True)
class GroupDelta:
    """One group in two ranges."""

    key: Key
    now_usd: Decimal
    before_usd: Decimal

    @property
    def difference_usd(self) -> Decimal:
        """How much more it is; negative for less."""
        return sum_usd((self.now_usd, self.before_usd.copy_negate()))


@dataclass(frozen=True, slots=True)
class Explain:
    """By which dimensions groups are explained, the most telling first; null of the `untold` ones, or all keys, says nothing."""

    group_by: Sequence[str]
    by: Sequence[str]
    untold: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class GroupDeltas:
    """The sums of two ranges by several dimensions at once, to be gathered by any of them; exact USD."""

    dimensions: tuple[str, ...]
    cells: tuple[GroupDelta, ...]

    def by(self, group_by: Sequence[str]) -> list[GroupDelta]:
        """
        Gather the cells by some of the dimensions.

        Shape:   one movement for each group with a fact in either range, largest amount first; without
                 dimensions one for everything, or none when there is no fact
        """
        return sorted(
            (_total(key, members) for key, members in self._grouped(group_by).items()),
            key=lambda each: (-each.now_usd, -each.before_usd, str(each.key)),
        )

    def causes(
        self, group_by: Sequence[str], explain_by: Sequence[str], *, untold: Collection[str] = ()
    ) -> Mapping[Key, Driver]:
        """
        Find for each group the value of another dimension that moved furthest in the group's own direction.

        Shape:   of the first dimension in which one value accounts for half of the change or more, otherwise of
                 the first dimension; groups that did not change have none, and a dimension with one value at
                 all explains nothing. In the dimensions of `untold` null says that a report does not tell: it
                 is no cause
        """
        places = {
            name: self.dimensions.index(name)
            for name in explain_by
            if name not in group_by and len(self._grouped((name,))) > 1
        }
        found = {key: _cause(members, places, untold) for key, members in self._grouped(group_by).items()}
        return {key: cause for key, cause in found.items() if cause is not None}

    def _grouped(self, group_by: Sequence[str]) -> Mapping[Key, list[GroupDelta]]:
        places = [self.dimensions.index(name) for name in group_by]
        grouped: defaultdict[Key, list[GroupDelta]] = defaultdict(list)
        for cell in self.cells:
            grouped[tuple(cell.key[place] for place in places)].append(cell)
        return grouped


@read_snapshot()
def read_group_deltas(query: CostQuery, before: DayRange, dimensions: Sequence[str]) -> GroupDeltas:
    """
    Sum a query in its own range and in another one by all the dimensions, in a single pass over the facts.

    Shape:   an empty `before` compares with nothing
    Raises:  KeyError — unknown dimension
    """
    dimensions = tuple(dict.fromkeys(dimensions))
    in_now, in_before, facts = _two_ranges(query, before, dimensions)
    columns = columns_of(query, dimensions, DIMENSIONS)
    grouped = facts.values(**columns).annotate(
        now=Sum("amount_usd", filter=in_now), before=Sum("amount_usd", filter=in_before)
    )
    return GroupDeltas(
        dimensions,
        tuple(
            GroupDelta(_key(key), now or _ZERO, then or _ZERO)
            for *key, now, then in grouped.values_list(*columns, "now", "before")
        ),
    )


@dataclass(slots=True)
class Comparison:
    """A query beside another range, read by one set of dimensions after the other and each only once."""

    query: CostQuery
    before: DayRange
    _read: list[GroupDeltas] = field(default_factory=list)

    def by(self, dimensions: Sequence[str]) -> list[GroupDelta]:
        """Return the groups by the dimensions, as `GroupDeltas.by`; from what was read already where that has them."""
        return self._with(dimensions).by(dimensions)

    def causes(self, moved: Sequence[GroupDelta], explain: Explain) -> Mapping[Key, Driver]:
        """
        Find what explains some groups, dimension by dimension, as `GroupDeltas.causes` does.

        Shape:   a dimension is read while one of the groups is not explained to the half. One that has no sums
                 beside the groups' own dimensions costs a pass over the facts, so it is asked last, and only for
                 groups about which nothing else said anything
        """
        open_ones = {each.key: each.difference_usd for each in moved if each.difference_usd}
        found: dict[Key, Driver] = {}
        names = [name for name in explain.by if name not in explain.group_by]
        asked = {*self.query.filters, *explain.group_by}
        for name in sorted(names, key=lambda name: COST_SUMS.find_grain({*asked, name}) is None):
            if COST_SUMS.find_grain({*asked, name}) is None:
                open_ones = {key: difference for key, difference in open_ones.items() if key not in found}
            if not open_ones:
                break
            parts = self._with([*explain.group_by, name])
            causes = parts.causes(explain.group_by, [name], untold=explain.untold)
            for key in [key for key in open_ones if key in causes]:
                found.setdefault(key, causes[key])
                if _is_half(causes[key], open_ones[key]):
                    found[key] = causes[key]
                    del open_ones[key]
        return found

    def _with(self, dimensions: Sequence[str]) -> GroupDeltas:
        for each in self._read:
            if set(dimensions) <= set(each.dimensions):
                return each
        self._read.append(read_group_deltas(self.query, self.before, dimensions))
        return self._read[-1]


@dataclass(frozen=True, slots=True)
class SeriesCell:
    """One group in one bucket; `bucket` is None for earlier days that have no counterpart in the range."""

    bucket: dt.date | None
    key: Key
    now_usd: Decimal
    before_usd: Decimal


@read_snapshot()
def read_series(
    query: CostQuery, before: DayRange, *, group_by: Sequence[str], granularity: Granularity
) -> list[SeriesCell]:
    """
    Sum a query over time beside another range, whose days are moved onto the query's own, in a single pass.

    Shape:   cells with a fact in either range, in no order; an empty `before` compares with nothing
    Units:   USD, exact: the cells add up to the sums of the two ranges
    Raises:  KeyError — unknown dimension; ValueError — the ranges overlap
    """
    if len(before) and before.start < query.days.end and query.days.start < before.end:
        raise ValueError("a range cannot be compared with days of its own")
    moved = _moved(query.days, before, granularity)
    in_now, in_before, facts = _two_ranges(query, before, group_by)
    counterpart = Q(moved__lt=query.days.end) & in_before
    day = Case(When(in_now, then=F("day")), When(counterpart, then=F("moved")), output_field=DateField())
    columns = columns_of(query, group_by, DIMENSIONS)
    grouped = (
        facts.annotate(moved=moved, shown=day)
        .values(bucket=_BUCKETS[granularity], **columns)
        .annotate(now=Sum("amount_usd", filter=in_now), before=Sum("amount_usd", filter=in_before))
    )
    return [
        SeriesCell(bucket, _key(key), now or _ZERO, then or _ZERO)
        for bucket, *key, now, then in grouped.values_list("bucket", *columns, "now", "before")
    ]


def _moved(days: DayRange, before: DayRange, granularity: Granularity) -> Any:
    """Return the day of the range onto which an earlier one is moved, as `selectors.counterpart` does."""
    months = months_moved(days, before, granularity)
    if not months:
        return Cast(F("day") + Value(days.start - before.start), DateField())
    return Func(
        F("day"), Value(months), template="(%(expressions)s))::date", arg_joiner=" + make_interval(months => ",
        output_field=DateField(),
    )  # fmt: skip


def _two_ranges(query: CostQuery, before: DayRange, dimensions: Sequence[str]) -> tuple[Q, Q, QuerySet[Any]]:
    """Return the conditions for either range, and the rows of both."""
    in_now = Q(day__gte=query.days.start, day__lt=query.days.end)
    in_before = Q(day__gte=before.start, day__lt=before.end)
    if not len(before):
        return in_now, in_before, list_amounts(query, dimensions)
    hull = DayRange(min(query.days.start, before.start), max(query.days.end, before.end))
    return (
        in_now,
        in_before,
        list_amounts(replace(query, days=hull), dimensions).filter(in_now | in_before),
    )


def _key(values: Iterable[Any]) -> Key:
    return tuple(None if value is None else str(value) for value in values)


def _total(key: Key, members: Sequence[GroupDelta]) -> GroupDelta:
    return GroupDelta(
        key, sum_usd(each.now_usd for each in members), sum_usd(each.before_usd for each in members)
    )


def _cause(
    members: Sequence[GroupDelta], places: Mapping[str, int], untold: Collection[str]
) -> Driver | None:
    difference = _total((), members).difference_usd
    if not difference:
        return None
    rising = difference > 0
    first: Driver | None = None
    for name, place in places.items():
        moved: defaultdict[str | None, list[Decimal]] = defaultdict(list)
        for each in members:
            moved[each.key[place]].append(each.difference_usd)
        # Neither what is not told nor all keys together say who it was.
        amounts = {
            value: sum_usd(parts)
            for value, parts in moved.items()
            if name not in untold or (value is not None and not is_made(name, value))
        }
        if not amounts:
            continue
        value = (max if rising else min)(amounts, key=lambda one: (amounts[one], one or ""))
        cause = Driver(name, value, amounts[value])
        if _is_half(cause, difference):
            return cause
        first = first or (cause if (cause.difference_usd > 0) == rising and cause.difference_usd else None)
    return first


def _is_half(cause: Driver, difference: Decimal) -> bool:
    part = cause.difference_usd if difference > 0 else cause.difference_usd.copy_negate()
    return sum_usd((part, part)) >= difference.copy_abs()
