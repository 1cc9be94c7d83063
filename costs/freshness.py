"""How complete and how final the stored days are: coverage, day states, the last complete day."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db.models import Max, Min

from costs.models import DayDigest
from costs.periods import DayRange, day_start

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
    """Return which days of a connection are stored."""
    ends = DayDigest.objects.filter(connection_id=connection_id).aggregate(first=Min("day"), last=Max("day"))
    return Coverage(ends["first"], ends["last"])


def reread_days(origin: str) -> int:
    """Return for how many days after its end upstream may restate a day of this origin."""
    setting = "REREAD_DAYS_ENTERPRISE" if origin == "claude_ai" else "REREAD_DAYS_PLATFORM"
    return int(getattr(settings, setting))


def state_of(digest: DayDigest | None, origin: str) -> DayState:
    """Return the state of one stored day; it settles once it was read after its restatement window."""
    if digest is None:
        return DayState.MISSING
    settled_at = day_start(digest.day) + _DAY * (1 + reread_days(origin))
    if digest.as_of < settled_at:
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


def complete_through(account_id: UUID, days: DayRange) -> dt.date | None:
    """
    Return the last day of the range up to which every live connection has every day, read after its end.

    Shape:   None when already the first day is missing or open; days before a connection's backfill depth
             cannot be had and do not count as missing
    """
    with database.cursor() as cursor:
        cursor.execute(
            """
            SELECT min(wanted.day)::date
            FROM integrations_connection connection
            CROSS JOIN LATERAL generate_series(
                greatest(%(start)s::date, (connection.created_at AT TIME ZONE 'UTC')::date - connection.backfill_days),
                %(end)s::date - 1, interval '1 day'
            ) AS wanted(day)
            WHERE connection.account_id = %(account)s AND connection.disconnected_at IS NULL
            AND NOT EXISTS (
                SELECT 1 FROM costs_daydigest digest
                WHERE digest.connection_id = connection.id AND digest.day = wanted.day::date
                AND digest.as_of >= (wanted.day::date + 1)::timestamp AT TIME ZONE 'UTC'
            )
            """,
            {"start": days.start, "end": days.end, "account": account_id},
        )
        (first_open,) = cursor.fetchone()
    last = (first_open or days.end) - _DAY
    return last if last >= days.start else None
