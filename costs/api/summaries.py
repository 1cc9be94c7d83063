"""Sums with the names a person reads beside the ids: those of now, or those each day had."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from accounts.permissions import rows_of
from costs import named, values
from costs.coverage import Coverage
from costs.named import Names
from costs.selectors import Granularity, bucket_of
from integrations.models import Connection

# What is added to a group beside an id.
_BESIDE = {"workspace_id": "workspace_name", "api_key_id": "api_key_name", "actor_id": "actor_name"}
_Named = tuple[str, str | None]
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Namer:
    """Words the groups of one summary."""

    names: Mapping[str, Names]
    labels: Mapping[str, str]

    def word(self, group: Mapping[str, str | None], day: dt.date | None = None) -> dict[str, str | None]:
        """Return the group with the name beside each id; of the day where one is given."""
        worded: dict[str, str | None] = {}
        for name, value in group.items():
            worded[name] = value
            if name == "cost_center":
                worded[name] = value or None
            elif values.is_made(name, value):
                # A report that states no workspace: no id and no name, as in its rows.
                worded[name] = worded[_BESIDE[name]] = None
            elif name in self.names:
                is_known = value is not None or name == "workspace_id"
                found = self.names[name].find(group.get("connection"), value, day) if is_known else None
                worded[_BESIDE[name]] = found
            elif name == "connection":
                worded["connection_label"] = self.labels.get(value or "")
        return worded

    def make_distinct(self, groups: Sequence[Mapping[str, str | None]]) -> Sequence[Mapping[str, str | None]]:
        """Return the groups, with more than its name beside an id where another id of the answer reads the same."""
        told = [dict(group) for group in groups]
        for name, known in self.names.items():
            beside = _BESIDE[name]
            # Two connections may use one name: where the connection stands in the group, it tells them apart.
            places: defaultdict[str | None, dict[_Named, str]] = defaultdict(dict)
            for group in told:
                text = group[beside]
                if text is not None:
                    places[group.get("connection")][text, group[name]] = text
            worded = {connection: _words(named_here, known) for connection, named_here in places.items()}
            for group in told:
                text = group[beside]
                if text is not None:
                    group[beside] = worded[group.get("connection")][text, group[name]]
        return told


def _words(named_here: Mapping[_Named, str], known: Names) -> Mapping[_Named, str]:
    archived = {place: "archived" for place in named_here if place[1] in known.archived}
    return named.make_distinct(named_here, archived)


def namer(account_id: UUID, group_by: Sequence[str]) -> Namer:
    """Return what words the groups; a query for each dimension that has names."""
    labels: Mapping[str, str] = {}
    if "connection" in group_by:
        rows = rows_of(account_id, Connection).values_list("pk", "label", "disconnected_at")
        gone = {str(pk): "disconnected" for pk, _, at in rows if at is not None}
        labels = named.make_distinct({str(pk): label for pk, label, _ in rows}, gone)
    return Namer(named.names_for(account_id, group_by), labels)


@dataclass(frozen=True, slots=True)
class Measure(Generic[_V]):
    """What a summary adds up: how a row tells it, how two are added, and its size, by which rows are ordered."""

    value: Callable[[Any], _V]
    previous: Callable[[Any], _V | None]
    add: Callable[[_V, _V], _V]
    size: Callable[[_V], Decimal | int]


@dataclass(frozen=True, slots=True)
class Worded(Generic[_V]):
    """A row of a summary with its worded group; the values as the summary has them."""

    bucket: dt.date | None
    group: Mapping[str, str | None]
    value: _V
    previous: _V | None


@dataclass(frozen=True, slots=True)
class Naming:
    """Which names the rows get: those of now, or of each day, which a period then holds side by side."""

    by_day: bool
    granularity: Granularity


def worded(rows: Sequence[Any], words: Namer, naming: Naming, measure: Measure[_V]) -> list[Worded[_V]]:
    """
    Word the rows of a summary, of which `naming.by_day` wants one by day.

    Shape:   in their order with the names of now, where rows that read the same are added; with those of each day by
             bucket, largest first, where a group that was renamed has several rows
    """
    found: dict[tuple[Any, ...], Worded[_V]] = {}
    groups = [words.word(row.group, row.bucket if naming.by_day else None) for row in rows]
    for row, group in zip(rows, words.make_distinct(groups), strict=True):
        bucket = _bucket(row.bucket, naming)
        place = (bucket, *group.values())
        one = Worded(bucket, group, measure.value(row), measure.previous(row))
        found[place] = _added(found[place], one, measure) if place in found else one
    together = list(found.values())
    if not naming.by_day and len(together) == len(rows):
        return together
    return sorted(together, key=lambda row: (row.bucket or dt.date.min, -measure.size(row.value)))


def stored_buckets(covered: Coverage, naming: Naming) -> Collection[dt.date | None]:
    """
    Return the periods of which at least one day is stored: a row of another has no value, which is not zero.

    Shape:   with None, which stands for the whole range, and for earlier days without a counterpart in it
    """
    if naming.granularity == "total":
        return {None}
    return {None, *(bucket_of(day, naming.granularity) for day in covered.stored_days)}


def _bucket(bucket: dt.date | None, naming: Naming) -> dt.date | None:
    if not naming.by_day or bucket is None:
        return bucket
    return None if naming.granularity == "total" else bucket_of(bucket, naming.granularity)


def _added(one: Worded[_V], other: Worded[_V], measure: Measure[_V]) -> Worded[_V]:
    before = None
    if one.previous is not None and other.previous is not None:
        before = measure.add(one.previous, other.previous)
    return Worded(one.bucket, one.group, measure.add(one.value, other.value), before)
