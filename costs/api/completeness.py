"""How complete and final the days of connections are, as the API tells it; reads only."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from costs import freshness
from costs.coverage import Coverage, Gap, Reason, Scope, read_coverage
from costs.freshness import DayState
from costs.models import DayDigest
from costs.read_snapshots import read_snapshot
from foundation.periods import DayRange
from integrations.models import Connection

_DAY = dt.timedelta(days=1)


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
    missing: Sequence[Gap]
    reports: Sequence[Report]


def known_range(connection: Connection, today: dt.date) -> DayRange:
    """Return the days this connection should have, through today."""
    return DayRange(min(connection.wanted_from, today), today + _DAY)


@read_snapshot()
def completeness(connection: Connection, days: DayRange, today: dt.date) -> Completeness:
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
            if report.report_name == connection.cost_source
            else max(days.start, report.wanted_from or days.start)
        )
        known = DayRange(first, max(first, days.end))
        rows = [
            _report_day(day, stored.get((report.report_name, day)), connection.origin) for day in known.days()
        ]
        found.append(Report(report.report_name, rows))
    covered = read_coverage(Scope(connection.account_id, days, today, {"connection": [str(connection.pk)]}))
    return Completeness(connection.pk, days, _safe_through(covered), covered.missing, found)


def _report_day(day: dt.date, digest: DayDigest | None, origin: str) -> ReportDay:
    return ReportDay(day, freshness.state_of(digest, origin), digest.as_of if digest else None)


def _safe_through(covered: Coverage) -> dt.date | None:
    last: dt.date | None = None
    for day in covered.days:
        if day.reason is Reason.BEFORE_API:
            continue  # nothing will ever come there
        if day.state in {DayState.MISSING, DayState.PROVISIONAL}:
            return last
        last = day.day
    return last
