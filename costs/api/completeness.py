"""How complete and final the days of connections are, as the API tells it; reads only."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from costs import freshness
from costs.freshness import DayState
from costs.models import DayDigest
from costs.periods import DayRange
from integrations.anthropic.streams import STREAMS
from integrations.models import Connection

_DAY = dt.timedelta(days=1)
# Worst first: what a sum over several days is, is what its worst day is.
_SEVERITY = (DayState.MISSING, DayState.PROVISIONAL, DayState.REVISED, DayState.SETTLED)


@dataclass(frozen=True, slots=True)
class ReportDay:
    """One day of one report; `observed_at` is when the request started that last confirmed it."""

    day: dt.date
    state: DayState
    observed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """The days of one report, oldest first."""

    report: str
    days: Sequence[ReportDay]


@dataclass(frozen=True, slots=True)
class Completeness:
    """All reports of a connection; `safe_through` is the last day before the first that may still change."""

    connection: UUID
    days: DayRange
    safe_through: dt.date | None
    reports: Sequence[Report]


def cost_reports(origin: str) -> list[str]:
    """Return the names of the cost reports that a connection of this origin is read from."""
    return [stream.name for stream in STREAMS.values() if stream.kind == "cost" and stream.origin == origin]


def known_range(connection: Connection, today: dt.date) -> DayRange:
    """Return the days this connection should have, through today."""
    return DayRange(min(connection.wanted_from, today), today + _DAY)


def completeness(connection: Connection, days: DayRange) -> Completeness:
    """
    Return the state of every day of every cost report of the connection.

    Shape:   `safe_through` is None when already the first day is missing or provisional
    """
    stored = {
        (digest.source, digest.day): digest
        for digest in DayDigest.objects.filter(connection=connection, day__gte=days.start, day__lt=days.end)
    }
    reports = []
    for name in cost_reports(connection.origin):
        rows = []
        for day in days.days():
            digest = stored.get((name, day))
            state = freshness.state_of(digest, connection.origin)
            rows.append(ReportDay(day, state, digest.as_of if digest else None))
        reports.append(Report(name, rows))
    return Completeness(connection.pk, days, _safe_through(days, reports), reports)


def _safe_through(days: DayRange, reports: Sequence[Report]) -> dt.date | None:
    open_days = [
        row.day
        for report in reports
        for row in report.days
        if row.state in {DayState.MISSING, DayState.PROVISIONAL}
    ]
    last = min(open_days, default=days.end) - _DAY
    return last if last >= days.start else None


def range_state(
    account_id: UUID, days: DayRange, *, today: dt.date, connections: Collection[str] = ()
) -> DayState:
    """
    Return the worst state among the days of the range, of the given connections (all, when none are).

    Days to come and days before a connection's history cannot be had and do not count. An account without
    anything is missing everything.
    """
    known = freshness.summarise_days(
        account_id, DayRange(days.start, max(days.start, min(days.end, today + _DAY))), connections
    )
    # Today is fetched when somebody asks; until then it is open, not lost.
    found = {
        DayState.MISSING: any(day.is_missing and day.day < today for day in known) or not known,
        DayState.PROVISIONAL: any(day.is_provisional or day.day >= today for day in known),
        DayState.REVISED: any(day.is_revised for day in known),
    }
    return next((state for state in _SEVERITY if found.get(state)), DayState.SETTLED)
