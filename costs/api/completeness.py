"""How complete and final the days of connections are, as the API tells it; reads only."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from costs import freshness, sources
from costs.freshness import DayState
from costs.models import DayDigest
from costs.periods import DayRange
from costs.sources import Kind
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
    """All reports of a connection; `safe_through` is the last day before the first of the bill that may still change."""

    connection: UUID
    days: DayRange
    safe_through: dt.date | None
    reports: Sequence[Report]


def known_range(connection: Connection, today: dt.date) -> DayRange:
    """Return the days this connection should have, through today."""
    return DayRange(min(connection.wanted_from, today), today + _DAY)


def completeness(connection: Connection, days: DayRange) -> Completeness:
    """
    Return the state of every day of every report of the connection that has days and is not refused.

    Shape:   days before the history of a report beside the bill are left out of it; `safe_through` speaks of the bill alone, and
             is None when already the first day is missing or provisional
    """
    stored = {
        (digest.source, digest.day): digest
        for digest in DayDigest.objects.filter(connection=connection, day__gte=days.start, day__lt=days.end)
    }
    found = []
    for report in connection.reports.filter(is_refused=False, wanted_from__isnull=False):
        first = (
            days.start
            if report.stream == connection.cost_source
            else max(days.start, report.wanted_from or days.start)
        )
        known = DayRange(first, max(first, days.end))
        rows = [_report_day(day, stored.get((report.stream, day)), connection.origin) for day in known.days()]
        found.append(Report(report.stream, rows))
    return Completeness(connection.pk, days, _safe_through(connection, days, stored), found)


def _report_day(day: dt.date, digest: DayDigest | None, origin: str) -> ReportDay:
    return ReportDay(day, freshness.state_of(digest, origin), digest.as_of if digest else None)


def _safe_through(
    connection: Connection, days: DayRange, stored: Mapping[tuple[str, dt.date], DayDigest]
) -> dt.date | None:
    bills = [connection.cost_source, *(name for name in sources.BILLS if name != connection.cost_source)]
    last: dt.date | None = None
    for day in days.days():
        digest = next((stored[name, day] for name in bills if (name, day) in stored), None)
        if freshness.state_of(digest, connection.origin) in {DayState.MISSING, DayState.PROVISIONAL}:
            return last
        last = day
    return last


def range_state(
    account_id: UUID,
    days: DayRange,
    *,
    today: dt.date,
    connections: Collection[str] = (),
    kind: Kind = "cost",
) -> DayState:
    """
    Return the worst state among the days of the range, of the given connections (all, when none are).

    Days to come and days before a connection's history cannot be had and do not count. An account without
    anything is missing everything.
    """
    known = freshness.summarise_days(
        account_id,
        DayRange(days.start, max(days.start, min(days.end, today + _DAY))),
        connections,
        kind=kind,
    )
    # Today is fetched when somebody asks; until then it is open, not lost.
    found = {
        DayState.MISSING: any(day.is_missing and day.day < today for day in known) or not known,
        DayState.PROVISIONAL: any(day.is_provisional or day.day >= today for day in known),
        DayState.REVISED: any(day.is_revised for day in known),
    }
    return next((state for state in _SEVERITY if found.get(state)), DayState.SETTLED)
