"""The daily sync: when it is due, and the tick that turns due connections into runs.

The schedule is data on the connection. A scheduler that was dead over 06:00, or two of them, change nothing:
what is due is due, and a day's run exists once.
"""

import datetime as dt
import hashlib
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from integrations.models import Connection, Status
from workers import lanes, runs
from workers.clock import database_now
from workers.models import PRIORITY, Lane, SyncRun, Trigger

_BATCH = 200


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
    Create the daily run of every connection whose time has come; return how many.

    Key:     one run per connection and UTC date, whoever asks how often
    Effects: rows locked with SKIP LOCKED, so that several schedulers share the work
    """
    started = 0
    with transaction.atomic():
        now = database_now()
        due = (
            Connection.objects.select_for_update(skip_locked=True)
            .filter(disconnected_at__isnull=True, next_sync_at__lte=now)
            .order_by("next_sync_at")[:_BATCH]
        )
        for connection in due:
            connection.next_sync_at = next_daily(connection.pk, after=now)
            connection.save(update_fields=["next_sync_at"])
            if connection.status not in {Status.PAUSED, Status.ERROR}:
                started += _start(connection, now.date())
    return started


def _start(connection: Connection, today: dt.date) -> int:
    lane = Lane.objects.get(organization_id=connection.organization_id, family=runs.FAMILY)
    days = runs.trailing_range(connection, today, with_today=False)
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(
                connection=connection, lane=lane, trigger=Trigger.DAILY, from_day=days.start, to_day=days.end,
                priority=PRIORITY[Trigger.DAILY], requested_by="schedule",
            )  # fmt: skip
            runs.plan(run)
    except IntegrityError:
        return 0  # today's run exists already
    lanes.ring(lane.pk)
    return 1
