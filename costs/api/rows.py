"""Joins stored costs with the names and states the API shows beside them; reads only."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, QuerySet

from costs import freshness
from costs.freshness import DayState
from costs.models import CostFact, Resource, ResourceName, Restatement
from costs.periods import DayRange, day_start
from costs.selectors import Summary, WorkspaceNames, workspace_names
from integrations.models import Connection

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CostRow:
    """One stored cost with what belongs to it by reference."""

    fact: CostFact
    workspace_name: str | None
    state: DayState
    # Upstream's cost reports name neither yet.
    api_key_name: None = None
    actor_name: None = None


def cost_rows(account_id: UUID, facts: Sequence[CostFact]) -> list[CostRow]:
    """Return the facts of one page with names and day states; two queries, none when there are no facts."""
    if not facts:
        return []
    names = workspace_names(account_id)
    days = DayRange(min(fact.day for fact in facts), max(fact.day for fact in facts) + _DAY)
    states = freshness.day_states(account_id, days)
    return [
        CostRow(
            fact,
            names.find(str(fact.connection_id), fact.workspace_id),
            states.get((fact.connection_id, fact.source, fact.day), DayState.MISSING),
        )
        for fact in facts
    ]


def groups(account_id: UUID, summary: Summary) -> list[dict[str, str | None]]:
    """Return the group of each row of a summary, with the name beside an id; at most two queries."""
    names = workspace_names(account_id) if "workspace_id" in summary.group_by else WorkspaceNames({})
    labels: Mapping[str, str] = {}
    if "connection" in summary.group_by:
        rows = Connection.objects.filter(account_id=account_id).values_list("pk", "label")
        labels = {str(pk): label for pk, label in rows}
    return [_named(row.group, names, labels) for row in summary.rows]


def _named(
    group: Mapping[str, str | None], names: WorkspaceNames, labels: Mapping[str, str]
) -> dict[str, str | None]:
    named: dict[str, str | None] = {}
    for name, value in group.items():
        named[name] = value
        if name == "cost_center":
            named[name] = value or None
        elif name == "workspace_id":
            named["workspace_name"] = names.find(group.get("connection"), value)
        elif name == "connection":
            named["connection_label"] = labels.get(value or "")
    return named


def list_restatements(account_id: UUID, query: Mapping[str, Any]) -> QuerySet[Restatement]:
    """Return the account's restatements: of the days, of the connections, observed on a day or later."""
    rows = Restatement.objects.filter(connection__account_id=account_id)
    if "connection" in query:
        rows = rows.filter(connection__in=query["connection"])
    if "from" in query:
        rows = rows.filter(day__gte=query["from"])
    if "to" in query:
        rows = rows.filter(day__lt=query["to"])
    if "observed_from" in query:
        rows = rows.filter(observed_at__gte=day_start(query["observed_from"]))
    return rows


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace with its names over time, oldest first, and the days it has costs on."""

    resource: Resource
    names: Sequence[ResourceName]
    first_day: dt.date | None
    last_day: dt.date | None

    @property
    def name(self) -> str | None:
        """What it is called now."""
        return self.names[-1].name if self.names else None


def list_workspaces(account_id: UUID, query: Mapping[str, Any]) -> QuerySet[Resource]:
    """Return the account's known workspaces, of the given connections."""
    rows = Resource.objects.filter(kind="workspace", connection__account_id=account_id)
    return rows.filter(connection__in=query["connection"]) if "connection" in query else rows


def workspaces(resources: Sequence[Resource]) -> list[Workspace]:
    """Return the workspaces of one page with names and days; two queries."""
    names: dict[int, list[ResourceName]] = {resource.pk: [] for resource in resources}
    for name in ResourceName.objects.filter(resource__in=resources).order_by("valid_from"):
        names[name.resource_id].append(name)
    seen = _days_seen({resource.connection_id for resource in resources})
    return [_workspace(resource, names[resource.pk], seen) for resource in resources]


_DaysSeen = dict[tuple[UUID, str | None], tuple[dt.date, dt.date]]


def _days_seen(connections: set[UUID]) -> _DaysSeen:
    rows = (
        CostFact.objects.filter(connection__in=connections)
        .values_list("connection_id", "workspace_id")
        .annotate(Min("day"), Max("day"))
        .order_by()
    )
    return {(connection, workspace): (first, last) for connection, workspace, first, last in rows}


def _workspace(resource: Resource, names: Sequence[ResourceName], seen: _DaysSeen) -> Workspace:
    # Classic reports write the default workspace as null, others by its id: both are the same one.
    spellings = [resource.resource_id, None] if resource.is_default else [resource.resource_id]
    days = [seen[resource.connection_id, key] for key in spellings if (resource.connection_id, key) in seen]
    first = min((first for first, _ in days), default=None)
    return Workspace(resource, names, first, max((last for _, last in days), default=None))
