"""Workspaces, keys, people and models as the API lists them: names over time, and the days they were seen on."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, QuerySet

from accounts.permissions import rows_of
from costs.models import Resource, ResourceName
from costs.named import KINDS
from costs.rollups import COST_SUMS, USAGE_SUMS

_COLUMNS = {kind: column for column, kind in KINDS.items()}
_Days = tuple[dt.date, dt.date]
_Seen = dict[tuple[UUID, str | None], _Days]


@dataclass(frozen=True, slots=True)
class NamedResource:
    """A resource with its names over time, oldest first, and the days it has costs or usage on."""

    resource: Resource
    names: Sequence[ResourceName]
    first_day: dt.date | None
    last_day: dt.date | None

    @property
    def name(self) -> str | None:
        """What it is called now."""
        return self.names[-1].name if self.names else None


@dataclass(frozen=True, slots=True)
class UsedModel:
    """A model that costs or usage name; `id` None: what has no model, such as code execution."""

    id: str | None
    first_day: dt.date
    last_day: dt.date


def list_resources(account_id: UUID, kind: str, query: Mapping[str, Any]) -> QuerySet[Resource]:
    """Return the account's known resources of a kind, of the given connections."""
    rows = rows_of(account_id, Resource).filter(kind=kind)
    return rows.filter(connection__in=query["connection"]) if "connection" in query else rows


def named_resources(resources: Sequence[Resource]) -> list[NamedResource]:
    """Return the resources of one page with names and days; three queries, none when there are none."""
    if not resources:
        return []
    names: dict[int, list[ResourceName]] = {resource.pk: [] for resource in resources}
    for name in ResourceName.objects.filter(resource__in=resources).order_by("valid_from", "id"):
        names[name.resource_id].append(name)
    seen = _days_seen({resource.connection_id for resource in resources}, _COLUMNS[resources[0].kind])
    return [_named(resource, names[resource.pk], seen) for resource in resources]


def used_models(account_id: UUID) -> list[UsedModel]:
    """Return the models of the account's costs and usage, by id."""
    found: dict[str | None, _Days] = {}
    for sums in (COST_SUMS, USAGE_SUMS):
        rows: Any = rows_of(account_id, sums.table).filter(grain=sums.find_grain({"model"}))
        for model, first, last in _ends(rows, "model"):
            found[model or None] = _widest(found.get(model or None), (first, last))
    return [UsedModel(model, *found[model]) for model in sorted(found, key=lambda model: model or "")]


def _days_seen(connections: set[UUID], column: str) -> _Seen:
    seen: _Seen = {}
    for sums in (COST_SUMS, USAGE_SUMS):
        rows: Any = sums.table._default_manager.filter(  # noqa: SLF001
            connection__in=connections, grain=sums.find_grain({column})
        )
        for connection, value, first, last in _ends(rows, "connection_id", column):
            seen[connection, value] = _widest(seen.get((connection, value)), (first, last))
    return seen


def _ends(rows: QuerySet[Any], *columns: str) -> Any:
    return rows.values_list(*columns).annotate(Min("day"), Max("day")).order_by()


def _widest(one: _Days | None, other: _Days) -> _Days:
    return (min(one[0], other[0]), max(one[1], other[1])) if one else other


def _named(resource: Resource, names: Sequence[ResourceName], seen: _Seen) -> NamedResource:
    # Classic reports write the default workspace as null, others by its id: both are the same one.
    spellings = [resource.resource_id, None] if resource.is_default else [resource.resource_id]
    days = [seen[resource.connection_id, key] for key in spellings if (resource.connection_id, key) in seen]
    first = min((first for first, _ in days), default=None)
    return NamedResource(resource, names, first, max((last for _, last in days), default=None))
