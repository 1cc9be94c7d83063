"""How final the stored days are: their states, and the days of a report that have to be read again."""

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from costs.models import DayDigest
from foundation.periods import DayRange, day_start

_DAY = dt.timedelta(days=1)


class DayState(StrEnum):
    """How far a day's figure can be trusted; `locked` comes with month close."""

    MISSING = "missing"
    PROVISIONAL = "provisional"  # today, or inside the days that upstream may still restate
    SETTLED = "settled"
    REVISED = "revised"  # settled, and it changed after it was first stored


def reread_days(origin: str) -> int:
    """Return for how many days after its end upstream may restate a day of this origin."""
    setting = "REREAD_DAYS_ENTERPRISE" if origin == "claude_ai" else "REREAD_DAYS_PLATFORM"
    return int(getattr(settings, setting))


def settles_at(day: dt.date, origin: str) -> dt.datetime:
    """
    Return from when on a reading of the day counts as final.

    With 7 days of re-reading the sync of day D + 7 is the last to cover day D, so a reading from the start of
    D + 7 on settles it.
    """
    return day_start(day) + _DAY * max(1, reread_days(origin))


def state_of(digest: DayDigest | None, origin: str) -> DayState:
    """Return the state of one stored day; it settles with the last daily read of its restatement window."""
    if digest is None:
        return DayState.MISSING
    if digest.as_of < settles_at(digest.day, origin):
        return DayState.PROVISIONAL
    return DayState.REVISED if digest.revised_at else DayState.SETTLED


def day_states(account_id: UUID, days: DayRange) -> Mapping[tuple[UUID, str, dt.date], DayState]:
    """Return the states of the account's stored days by (connection, source, day); absent means missing."""
    digests = DayDigest.objects.filter(
        connection__account_id=account_id, day__gte=days.start, day__lt=days.end
    ).select_related("connection")
    return {
        (digest.connection_id, digest.source, digest.day): state_of(digest, digest.connection.origin)
        for digest in digests
    }


_REPORTED_DAYS = """
    FROM integrations_report report
    JOIN integrations_connection connection
        ON connection.id = report.connection_id AND report.wanted_from IS NOT NULL
    CROSS JOIN LATERAL generate_series(
        greatest(%(start)s::date, report.wanted_from), %(end)s::date - 1, interval '1 day'
    ) AS wanted(day)
    LEFT JOIN costs_daydigest digest ON digest.connection_id = connection.id
        AND digest.source = report.stream AND digest.day = wanted.day::date
"""
_RESTATED = "CASE connection.origin WHEN 'claude_ai' THEN %(reread_enterprise)s ELSE %(reread_platform)s END"
_REPORT_SETTLES = (
    f"(wanted.day::date + coalesce(report.settle_days, {_RESTATED}))::timestamp AT TIME ZONE 'UTC'"
)


def _parameters(days: DayRange) -> dict[str, Any]:
    return {
        "start": days.start,
        "end": days.end,
        "reread_platform": max(1, settings.REREAD_DAYS_PLATFORM),
        "reread_enterprise": max(1, settings.REREAD_DAYS_ENTERPRISE),
    }


def unsettled_days(connection_id: UUID, source: str, days: DayRange) -> list[dt.date]:
    """Return the wanted days of one report that are missing or may still change, oldest first."""
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT wanted.day::date {_REPORTED_DAYS}
            WHERE connection.id = %(connection)s AND report.stream = %(source)s
            AND coalesce(digest.as_of < {_REPORT_SETTLES}, true) ORDER BY wanted.day
            """,
            {**_parameters(days), "connection": connection_id, "source": source},
        )
        return [day for (day,) in cursor.fetchall()]


def settled_through(connection_id: UUID, days: DayRange) -> Mapping[str, dt.date | None]:
    """
    Return for each report the day before the first wanted one that is missing or may still change.

    Shape:   by source, for all reports with days; None when already the first wanted day is open
    """
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT report.stream, min(report.wanted_from),
                min(wanted.day) FILTER (WHERE coalesce(digest.as_of < {_REPORT_SETTLES}, true))::date
            {_REPORTED_DAYS}
            WHERE connection.id = %(connection)s GROUP BY report.stream
            """,
            {**_parameters(days), "connection": connection_id},
        )
        found: dict[str, dt.date | None] = {}
        for source, wanted_from, first_open in cursor.fetchall():
            last = (first_open or days.end) - _DAY
            found[source] = last if last >= wanted_from else None
        return found
