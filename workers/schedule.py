"""The daily sync: when it is due, and the tick that turns due connections into runs.

The schedule is data on the connection. A scheduler that was dead over 06:00, or two of them, change nothing:
what is due is due, and a day's run exists once.
"""

import datetime as dt
import hashlib
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction

from integrations.models import Connection
from workers import lanes, reports, runs, states
from workers.clock import database_now
from workers.models import PRIORITY, Lane, Trigger

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
             a handful of statements whatever the number. A connection whose lane is locked stays due: one
             window that takes long to write must not keep every other lane from being woken
    """
    started, busy = 0, set[UUID]()
    while batch := _due_connections(without=busy):
        with transaction.atomic():
            runs_started, left = _start(batch)
        started += runs_started
        busy |= left
        if len(batch) < _BATCH:
            break
    return started


def _due_connections(*, without: set[UUID]) -> list[Connection]:
    # As text, because it is asked every second: to put it together took half of a tick in which nothing is due.
    return list(
        Connection.objects.raw(
            """
            SELECT * FROM integrations_connection
            WHERE disconnected_at IS NULL AND next_sync_at <= now() AND id <> ALL (%s::uuid[])
            ORDER BY next_sync_at LIMIT %s
            """,
            [list(without), _BATCH],
        )
    )


def _ensure_lanes(wanted: set[tuple[str, str]]) -> None:
    """Create lanes that connections from before a new API family do not have yet."""
    organizations = {organization_id for organization_id, _ in wanted}
    existing = set(
        Lane.objects.filter(organization_id__in=organizations).values_list("organization_id", "family")
    )
    missing = wanted - existing
    # An id that was erased meanwhile must not come back as a lane.
    connected = Connection.objects.filter(organization_id__in={each for each, _ in missing})
    still_there = set(connected.values_list("organization_id", flat=True)) if missing else set()
    for organization_id, family in sorted(missing):
        if organization_id in still_there:
            lanes.ensure(organization_id, family)


def _start(batch: list[Connection]) -> tuple[int, set[UUID]]:
    """Return how many runs were created, and the connections whose lanes somebody else holds right now."""
    now = database_now()
    working = [each for each in batch if each.status not in states.STANDING]
    families = {origin: reports.families_of(origin) for origin in reports.FIRST_FAMILY}
    owned = {
        each.pk: {(each.organization_id, family) for family in families[each.origin]} for each in working
    }
    _ensure_lanes(set().union(*owned.values()))
    with database.cursor() as cursor:
        held = _hold_free_lanes(cursor, working)
        busy = {pk for pk, lanes_of_it in owned.items() if not held.issuperset(lanes_of_it)}
        lane_ids = _insert_runs(cursor, [each for each in working if each.pk not in busy], now)
        # Waiting ones, too, as in lanes.make_due: what a lane waits for may not hold for the new run.
        cursor.execute(
            """
            UPDATE workers_lane SET state = 'waiting', due_at = least(due_at, now())
            WHERE id = ANY(%s) AND state IN ('idle', 'waiting')
            """,
            [lane_ids],
        )
        done = [each for each in batch if each.pk not in busy]
        # As with the runs: another scheduler may have given it its next time, or somebody has disconnected it.
        cursor.execute(
            """
            UPDATE integrations_connection connection SET next_sync_at = due.next_at
            FROM unnest(%s::uuid[], %s::timestamptz[]) AS due(id, next_at)
            WHERE connection.id = due.id AND connection.disconnected_at IS NULL AND connection.next_sync_at <= now()
            """,
            [[each.pk for each in done], [next_daily(each.pk, after=now) for each in done]],
        )
    return len(lane_ids), busy


def _hold_free_lanes(cursor: Any, connections: list[Connection]) -> set[tuple[str, str]]:
    """Lock the lanes that nobody holds, before connections, as everywhere; return their owners and families."""
    cursor.execute(
        """
        SELECT organization_id, family FROM workers_lane
        WHERE organization_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        """,
        [[each.organization_id for each in connections]],
    )
    return set(cursor.fetchall())


def _insert_runs(cursor: Any, connections: list[Connection], now: dt.datetime) -> list[int]:
    """Write the runs of the date that are missing; return the lanes that got one."""
    backfilling = set(states.filling(*connections).values_list("connection_id", flat=True))
    ranges = [
        runs.trailing_range(each, now.date(), with_today=False, is_backfilling=each.pk in backfilling)
        for each in connections
    ]
    lanes_of = [(origin, family) for origin in reports.FIRST_FAMILY for family in reports.families_of(origin)]
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
        -- Another scheduler may have been first, on the other side of midnight even; or somebody disconnected it.
        JOIN integrations_connection connection
            ON connection.id = due.id AND disconnected_at IS NULL AND next_sync_at <= now()
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
            "ids": [each.pk for each in connections],
            "from": [days.start for days in ranges],
            "to": [days.end for days in ranges],
        },
    )
    return [lane_id for (lane_id,) in cursor.fetchall()]
