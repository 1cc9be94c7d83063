"""Joins stored costs with the names and states the API shows beside them; reads only."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.permissions import rows_of
from costs import freshness
from costs.api import lookups
from costs.freshness import DayState
from costs.models import Restatement
from costs.periods import DayRange, day_start
from costs.restated import of_the_bill

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FactRow:
    """One stored cost or usage with what belongs to it by reference."""

    fact: Any
    workspace_id: str | None
    workspace_name: str | None
    api_key_name: str | None
    actor_name: str | None
    state: DayState


def fact_rows(account_id: UUID, facts: Sequence[Any]) -> list[FactRow]:
    """Return the facts of one page with names and day states; five queries, none when there are no facts."""
    if not facts:
        return []
    known = lookups.load(account_id)
    days = DayRange(min(fact.day for fact in facts), max(fact.day for fact in facts) + _DAY)
    states = freshness.day_states(account_id, days)
    return [
        FactRow(
            fact,
            *known.workspace(fact.connection_id, fact.source, fact.workspace_id),
            known.name("api_key_id", fact.connection_id, fact.api_key_id),
            known.name("actor_id", fact.connection_id, fact.actor_id),
            states.get((fact.connection_id, fact.source, fact.day), DayState.MISSING),
        )
        for fact in facts
    ]


def list_restatements(account_id: UUID, query: Mapping[str, Any]) -> QuerySet[Restatement]:
    """Return the account's restatements: of the days, of the connections, observed on a day or later."""
    if "report" in query:
        rows = rows_of(account_id, Restatement).filter(source__in=query["report"])
    else:
        rows = of_the_bill(account_id)
    if "connection" in query:
        rows = rows.filter(connection__in=query["connection"])
    if "from" in query:
        rows = rows.filter(day__gte=query["from"])
    if "to" in query:
        rows = rows.filter(day__lt=query["to"])
    if "observed_from" in query:
        rows = rows.filter(observed_at__gte=day_start(query["observed_from"]))
    return rows
