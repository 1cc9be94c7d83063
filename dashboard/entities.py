"""What is known of one workspace, key, model or person beside its costs: what it is and was called; reads only."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from costs.named import KINDS, names_of
from costs.selectors import CostQuery, list_facts
from dashboard import labels
from foundation.periods import DayRange

# The dimension behind each kind of page.
DIMENSIONS: Mapping[str, str] = {
    "workspaces": "workspace_id",
    "keys": "api_key_id",
    "models": "model",
    "people": "actor_id",
}
PATHS: Mapping[str, str] = {dimension: path for path, dimension in DIMENSIONS.items()}
NULL = "null"
_LOOK_BACK_DAYS = 800


@dataclass(frozen=True, slots=True)
class NameOverTime:
    """A name, from when until when it was seen; `until` None: still."""

    name: str
    since: dt.datetime
    until: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Entity:
    """One value of a dimension with its names, the newest first."""

    dimension: str
    value: str | None
    name: str
    names: tuple[NameOverTime, ...]

    @property
    def kind(self) -> str:
        """What it is, in words."""
        return labels.dimension(self.dimension)


def find_entity(account_id: UUID, dimension: str, value: str | None, today: dt.date) -> Entity | None:
    """Return what an account knows of a value; None when it neither has a name nor ever cost anything."""
    names = _names(account_id, dimension, value)
    if not names and not _was_seen(account_id, dimension, value, today):
        return None
    label = labels.names(account_id, [dimension]).label(dimension, value)
    return Entity(dimension, value, label, names)


def _names(account_id: UUID, dimension: str, value: str | None) -> tuple[NameOverTime, ...]:
    if dimension not in KINDS:
        return ()
    found = names_of(account_id, KINDS[dimension]).versions
    versions = [each for (_, key), own in found.items() if key == value for each in own]
    # Several organisations may call their default workspace the same: one line says so.
    named = {each.name: NameOverTime(each.name, each.valid_from, each.valid_to) for each in versions}.values()
    return tuple(sorted(named, key=lambda each: each.since, reverse=True))


def _was_seen(account_id: UUID, dimension: str, value: str | None, today: dt.date) -> bool:
    days = DayRange(today - dt.timedelta(days=_LOOK_BACK_DAYS), today + dt.timedelta(days=1))
    query = CostQuery(account_id, days, {dimension: [value]})
    return list_facts(query, dimensions=[dimension]).exists()
