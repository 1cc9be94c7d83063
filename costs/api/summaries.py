"""Sums with the names a person reads beside the ids: those of now, or those each day had."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
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
class Worded:
    """A row of a summary with its worded group; the values as the summary has them."""

    bucket: dt.date | None
    group: Mapping[str, str | None]
    value: Any
    previous: Any


def by_name_of_day(
    rows: Sequence[Any],
    words: Namer,
    granularity: Granularity,
    *,
    value: Callable[[Any], _V],
    previous: Callable[[Any], _V | None],
    add: Callable[[_V, _V], _V],
) -> list[Worded]:
    """
    Put the rows of a summary by day together again under the names of their days.

    Shape:   one row for each bucket, group and name; a group that was renamed has several
    """
    found: dict[tuple[Any, ...], Worded] = {}
    for row in rows:
        group = words.word(row.group, row.bucket)
        bucket = None if granularity == "total" else bucket_of(row.bucket, granularity)
        place = (bucket, *group.values())
        earlier = found.get(place)
        now, before = value(row), previous(row)
        if earlier:
            now = add(earlier.value, now)
            before = None if before is None or earlier.previous is None else add(earlier.previous, before)
        found[place] = Worded(bucket, group, now, before)
    return list(found.values())
