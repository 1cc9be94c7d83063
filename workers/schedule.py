"""The daily sync: when it is due, and the tick that turns due connections into runs.

The schedule is data on the connection. A scheduler that was dead over 06:00, or two of them, change nothing:
what is due is due, and a day's run exists once.
"""

import datetime as dt
import hashlib
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now

from integrations.models import Connection, Status
from workers import lanes, reports, runs
from workers.clock import database_now
from workers.models import PRIORITY, Lane, SyncRun, Trigger

_BATCH = 1000


def next_daily(connection_id: UUID, *, after: dt.datetime) -> dt.datetime:
    """Return the first moment after `after` that is DAILY_SYNC_UTC plus this connection's own jitter."""
    today = dt.datetime.combine(after.astimezone(dt.UTC).date(), settings.DAILY_SYNC_UTC)
    moment = today + _jitter(connection_id)
    # The jitter can carry yesterday's moment over midnight.
    for days in (-1, 0, 1):
        candidate = moment + dt.timedelta(days=days)
        if candidate > after:
            return candidate
    raise AssertionError("one of three consecutive days lies ahead")


def _jitter(connection_id: UUID) -> dt.timedelta:
    """Spread the wave: the same connection always gets the same delay."""
    if not settings.DAILY_JITTER_SECONDS:
        return dt.timedelta(0)
    drawn = int.from_bytes(hashlib.blake2b(connection_id.bytes, digest_size=8).digest())
    return dt.timedelta(seconds=drawn % settings.DAILY_JITTER_SECONDS)


def start_due() -> int:
    """
    Create the daily run of every connection whose time has come, a thousand at a time; return how many.

    Key:     one run per connection and UTC date, whoever asks how often
    Effects: runs without steps (the worker plans them), lanes made due, connections given their next time;
             a handful of statements whatever the number
    """
    started = 0
    while batch := _due_connections():
        with transaction.atomic():
            started += _start(batch)
        if len(batch) < _BATCH:
            break
    return started


def _due_connections() -> list[Connection]:
    due = Connection.objects.filter(disconnected_at__isnull=True, next_sync_at__lte=Now())
    return list(due.order_by("next_sync_at")[:_BATCH])


def _ensure_lanes(connections: list[Connection]) -> None:
    """Create lanes that connections from before a new API family do not have yet."""
    wanted = {(each.organization_id, family) for each in connections for family in reports.families(each)}
    organizations = {organization_id for organization_id, _ in wanted}
    known = set(
        Lane.objects.filter(organization_id__in=organizations).values_list("organization_id", "family")
    )
    for organization_id, family in sorted(wanted - known):
        lanes.ensure(organization_id, family)


def _start(batch: list[Connection]) -> int:
    now = database_now()
    working = [each for each in batch if each.status not in {Status.PAUSED, Status.ERROR}]
    _ensure_lanes(working)
    backfilling = set(
        SyncRun.objects.filter(
            connection__in=working, trigger=Trigger.CONNECT, status__in=SyncRun.ACTIVE
        ).values_list("connection_id", flat=True)
    )
    ranges = [
        runs.trailing_range(each, now.date(), with_today=False, is_backfilling=each.pk in backfilling)
        for each in working
    ]
    lanes_of = [(origin, family) for origin in reports.FIRST_FAMILY for family in reports.families_of(origin)]
    with database.cursor() as cursor:
        # Lanes before connections, as everywhere; in one order, so that two schedulers queue up instead of
        # waiting for each other.
        cursor.execute(
            """
            SELECT lane.id FROM workers_lane lane
            WHERE organization_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
            """,
            [[each.organization_id for each in working]],
        )
        cursor.execute(
            """
            INSERT INTO workers_syncrun (
                id, connection_id, lane_id, trigger, from_day, to_day, priority, requested_by, status, requested_at,
                steps_total, steps_done, requests, rows_added, rows_changed, rows_removed, rows_unchanged,
                failures, claims_since_progress, reason, detail
            )
            SELECT gen_random_uuid(), connection.id, lane.id, %(trigger)s, due.from_day, due.to_day, %(priority)s,
                'schedule', 'queued', now(), 0, 0, 0, 0, 0, 0, 0, 0, 0, '', ''
            FROM unnest(%(ids)s::uuid[], %(from)s::date[], %(to)s::date[]) AS due(id, from_day, to_day)
            JOIN integrations_connection connection ON connection.id = due.id AND disconnected_at IS NULL
            JOIN unnest(%(origins)s::text[], %(families)s::text[]) AS known(origin, family)
                ON known.origin = connection.origin
            JOIN workers_lane lane
                ON lane.organization_id = connection.organization_id AND lane.family = known.family
            ON CONFLICT DO NOTHING RETURNING lane_id
            """,
            {
                "trigger": Trigger.DAILY.value,
                "priority": PRIORITY[Trigger.DAILY],
                "origins": [origin for origin, _ in lanes_of],
                "families": [family for _, family in lanes_of],
                "ids": [each.pk for each in working],
                "from": [days.start for days in ranges],
                "to": [days.end for days in ranges],
            },
        )
        lane_ids = [lane_id for (lane_id,) in cursor.fetchall()]
        cursor.execute(
            "UPDATE workers_lane SET state = 'waiting', due_at = now() WHERE id = ANY(%s) AND state = 'idle'",
            [lane_ids],
        )
        cursor.execute(
            """
            UPDATE integrations_connection connection SET next_sync_at = due.next_at
            FROM unnest(%s::uuid[], %s::timestamptz[]) AS due(id, next_at) WHERE connection.id = due.id
            """,
            [[each.pk for each in batch], [next_daily(each.pk, after=now) for each in batch]],
        )
    return len(lane_ids)
