"""Joins stored costs with the names and states the API shows beside them; reads only."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.permissions import rows_of
from costs import freshness
from costs.api import lookups
from costs.freshness import DayState
from costs.models import Restatement
from costs.restated import of_the_bill
from costs.selectors import CostQuery
from costs.spans import Spans
from foundation.api.pagination import Parts
from foundation.periods import DayRange, day_start

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


def parts_by_day(spans: Spans, facts_of: Callable[[CostQuery], QuerySet[Any]]) -> Parts:
    """Return the facts of a question in parts by day, for a paginator whose first column is the day."""

    def parts(position: Sequence[str] | None, rows: int, backwards: bool) -> Iterator[QuerySet[Any]]:
        days = _from(spans.query.days, position, backwards=backwards)
        for span in spans.walk(days, rows, backwards=backwards):
            facts = facts_of(replace(spans.query, days=span.days))
            yield facts if span.only is None else facts.filter(day__in=span.only)

    return parts


def _from(days: DayRange, position: Sequence[str] | None, *, backwards: bool) -> DayRange:
    """Return the days that lie at the position and beyond it; a position that is no day of ours the paginator refuses."""
    try:
        day = dt.date.fromisoformat(position[0]) if position else None
    except ValueError:
        day = None
    if day is None:
        return days
    if backwards:
        return DayRange(days.start, max(min(day + _DAY, days.end), days.start))
    return DayRange(min(max(day, days.start), days.end), days.end)


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
