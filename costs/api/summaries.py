"""Sums with the names a person reads beside the ids: those of now, or those each day had."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from accounts.permissions import rows_of
from costs import named
from costs.named import Names
from costs.selectors import Granularity, bucket_of
from integrations.models import Connection

# What is added to a group beside an id.
_BESIDE = {"workspace_id": "workspace_name", "api_key_id": "api_key_name", "actor_id": "actor_name"}
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
            elif name in self.names:
                is_known = value is not None or name == "workspace_id"
                found = self.names[name].find(group.get("connection"), value, day) if is_known else None
                worded[_BESIDE[name]] = found
            elif name == "connection":
                worded["connection_label"] = self.labels.get(value or "")
        return worded


def namer(account_id: UUID, group_by: Sequence[str]) -> Namer:
    """Return what words the groups; a query for each dimension that has names."""
    labels: Mapping[str, str] = {}
    if "connection" in group_by:
        rows = rows_of(account_id, Connection).values_list("pk", "label")
        labels = {str(pk): label for pk, label in rows}
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

    Shape:   in their order with the names of now, one for one; with those of each day by bucket, largest first, where a
             group that was renamed has several rows
    """
    if not naming.by_day:
        return [
            Worded(row.bucket, words.word(row.group), measure.value(row), measure.previous(row))
            for row in rows
        ]
    found = _by_name_of_day(rows, words, naming.granularity, measure)
    return sorted(found, key=lambda row: (row.bucket or dt.date.min, -measure.size(row.value)))


def _by_name_of_day(
    rows: Sequence[Any], words: Namer, granularity: Granularity, measure: Measure[_V]
) -> list[Worded[_V]]:
    found: dict[tuple[Any, ...], Worded[_V]] = {}
    for row in rows:
        group = words.word(row.group, row.bucket)
        bucket = None if granularity == "total" else bucket_of(row.bucket, granularity)
        place = (bucket, *group.values())
        earlier = found.get(place)
        now, before = measure.value(row), measure.previous(row)
        if earlier:
            now = measure.add(earlier.value, now)
            before = (
                None if before is None or earlier.previous is None else measure.add(earlier.previous, before)
            )
        found[place] = Worded(bucket, group, now, before)
    return list(found.values())
