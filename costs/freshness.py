"""How complete and how final the stored days are: coverage, day states, the last complete day."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db.models import F, Max, Min

from costs import sources
from costs.models import DayDigest
from costs.periods import DayRange, day_start
from costs.sources import Kind

_DAY = dt.timedelta(days=1)


class DayState(StrEnum):
    """How far a day's figure can be trusted; `locked` comes with month close."""

    MISSING = "missing"
    PROVISIONAL = "provisional"  # today, or inside the days that upstream may still restate
    SETTLED = "settled"
    REVISED = "revised"  # settled, and it changed after it was first stored


@dataclass(frozen=True, slots=True)
class Coverage:
    """First and last stored day of a connection; None before its first window."""

    data_from: dt.date | None
    data_through: dt.date | None


def coverage(connection_id: UUID) -> Coverage:
    """Return which of the days it should have are stored; a single older day that somebody synced is not told."""
    wanted = DayDigest.objects.filter(
        connection_id=connection_id, source__in=sources.BILLS, day__gte=F("connection__wanted_from")
    )
    ends = wanted.aggregate(first=Min("day"), last=Max("day"))
    return Coverage(ends["first"], ends["last"])


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


# Of each wanted day of a connection the digest that says how far the day can be trusted. Of its costs: that of the
# bill, the chosen one where it has the day, else another one that tells the whole bill. Usage has no bill: that of
# the report which was read longest ago, because any of them may be the one that answers.
_SINCE: Mapping[Kind, str] = {
    "cost": "SELECT connection.wanted_from AS day",
    "usage": """
        SELECT min(report.wanted_from) AS day FROM integrations_report report
        WHERE report.connection_id = connection.id AND report.kind = 'usage' AND NOT report.is_refused
    """,
}
_FIRST_DIGEST: Mapping[Kind, str] = {
    "cost": "told.source = connection.cost_source DESC, told.source",
    "usage": "told.as_of, told.source",
}
_CONNECTED: Mapping[Kind, str] = {
    kind: f"integrations_connection connection JOIN LATERAL ({since}) since ON since.day IS NOT NULL"
    for kind, since in _SINCE.items()
}
_KNOWN_DAYS: Mapping[Kind, str] = {
    kind: f"""
    FROM {_CONNECTED[kind]}
    CROSS JOIN LATERAL generate_series(
        greatest(%(start)s::date, since.day), %(end)s::date - 1, interval '1 day'
    ) AS wanted(day)
    LEFT JOIN LATERAL (
        SELECT * FROM costs_daydigest told
        WHERE told.connection_id = connection.id AND told.day = wanted.day::date
        AND told.source = ANY(%(sources)s)
        ORDER BY {order} LIMIT 1
    ) digest ON true
"""  # noqa: S608 - our own text
    for kind, order in _FIRST_DIGEST.items()
}
_SOURCES: Mapping[Kind, list[str]] = {
    "cost": sources.BILLS,
    "usage": [source.name for source in sources.SOURCES.values() if source.kind == "usage"],
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
_SETTLES = f"(wanted.day::date + {_RESTATED})::timestamp AT TIME ZONE 'UTC'"
_REPORT_SETTLES = (
    f"(wanted.day::date + coalesce(report.settle_days, {_RESTATED}))::timestamp AT TIME ZONE 'UTC'"
)


def _parameters(days: DayRange, kind: Kind = "cost") -> dict[str, Any]:
    return {
        "start": days.start,
        "end": days.end,
        "sources": _SOURCES[kind],
        "reread_platform": max(1, settings.REREAD_DAYS_PLATFORM),
        "reread_enterprise": max(1, settings.REREAD_DAYS_ENTERPRISE),
    }


@dataclass(frozen=True, slots=True)
class DaySummary:
    """One day over several connections: what is true of at least one of them."""

    day: dt.date
    is_missing: bool
    is_stored: bool
    is_provisional: bool
    is_revised: bool


def summarise_days(
    account_id: UUID, days: DayRange, connection_ids: Collection[str] = (), *, kind: Kind = "cost"
) -> list[DaySummary]:
    """
    Return the wanted days of the account's live connections (or of the given ones), oldest first.

    Shape:   of `usage`, connections whose keys may read no report of it are left out
    """
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT wanted.day::date, bool_or(digest.id IS NULL), bool_or(digest.id IS NOT NULL),
                coalesce(bool_or(digest.as_of < {_SETTLES}), false), bool_or(digest.revised_at IS NOT NULL)
            {_KNOWN_DAYS[kind]}
            WHERE connection.account_id = %(account)s AND connection.disconnected_at IS NULL
            AND (%(all)s OR connection.id::text = ANY(%(ids)s))
            GROUP BY wanted.day ORDER BY wanted.day
            """,
            {
                **_parameters(days, kind), "account": account_id,
                "all": not connection_ids, "ids": list(connection_ids),
            },
        )  # fmt: skip
        return [DaySummary(*row) for row in cursor.fetchall()]


def all_begin_by(
    account_id: UUID, first: dt.date, connection_ids: Collection[str] = (), *, kind: Kind = "cost"
) -> bool:
    """Say whether every live connection (or each of the given ones) should have the day already."""
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT coalesce(bool_and(since.day <= %(first)s), false) FROM {_CONNECTED[kind]}
            WHERE connection.account_id = %(account)s AND connection.disconnected_at IS NULL
            AND (%(all)s OR connection.id::text = ANY(%(ids)s))
            """,  # noqa: S608 - our own text
            {
                "first": first, "account": account_id,
                "all": not connection_ids, "ids": list(connection_ids),
            },
        )  # fmt: skip
        (found,) = cursor.fetchone()
    return bool(found)


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


def complete_through(account_id: UUID, days: DayRange, *, kind: Kind = "cost") -> dt.date | None:
    """
    Return the last day of the range up to which every live connection has every day, read after its end.

    Shape:   None when already the first day is missing or open, or nothing is connected
    """
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT min(wanted.day) FILTER (
                WHERE digest.id IS NULL OR digest.as_of < (wanted.day::date + 1)::timestamp AT TIME ZONE 'UTC'
            )::date, count(DISTINCT connection.id)
            {_KNOWN_DAYS[kind]}
            WHERE connection.account_id = %(account)s AND connection.disconnected_at IS NULL
            """,
            {**_parameters(days, kind), "account": account_id},
        )
        first_open, connected = cursor.fetchone()
    if not connected:
        return None
    last: dt.date = (first_open or days.end) - _DAY
    return last if last >= days.start else None
