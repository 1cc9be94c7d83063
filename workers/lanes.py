"""Lanes: wake the due ones, claim one under a fencing token, keep, park or release it.

Every statement carries its own guard and uses the database's clock, so any number of dispatchers and
workers, early, late or doubled, end as one holder. A holder proves itself by fencing token and lease id; one
that was frozen past its lease finds both changed and can write nothing.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection as database
from django.db import transaction

from integrations.models import Connection
from workers.bucket import Answer, Bucket, BucketUnavailableError, Seed, rate_of
from workers.clock import database_now
from workers.models import Lane

_WAKE_LIMIT = 1000


class LeaseLostError(Exception):
    """Somebody else holds the lane now; whatever this holder was about to write must not be written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act for a lane until the lease ends; valid only while fencing token and lease id match the row."""

    lane_id: int
    fencing_token: int
    lease_id: UUID
    organization_id: str
    family: str

    @property
    def bucket(self) -> Bucket:
        """The token bucket that all holders of this lane share."""
        return Bucket(owner_key(self.organization_id, self.family), rate_of(self.family))


def owner_key(organization_id: str, family: str) -> str:
    """Name the bucket of one organisation and API family."""
    return f"{organization_id}:{family}"


def ensure(organization_id: str, family: str) -> Lane:
    """
    Return the lane of this owner, created with its bucket's present level; an empty one when Redis cannot tell.

    Not locked: what is done under a lane is done under `hold`.
    """
    lane = Lane.objects.filter(organization_id=organization_id, family=family).first()
    if lane:
        return lane
    rate = rate_of(family)
    try:
        level_us = Bucket(owner_key(organization_id, family), rate).peek(Seed(rate.full_us)).level_us
    except BucketUnavailableError:
        # Nobody can take a token before Redis is back; whoever took some before had no lane to note it in.
        level_us = 0
    lane, _ = Lane.objects.get_or_create(
        organization_id=organization_id,
        family=family,
        defaults={"level_us": level_us, "level_at": database_now()},
    )
    return lane


def ensure_and_hold(organization_id: str, families: Sequence[str]) -> list[Lane]:
    """Create the lanes that are missing and lock all of them, as `hold` does."""
    while True:
        # In one order whoever asks: two who create the same lanes would wait for each other, too.
        for family in sorted(families):
            ensure(organization_id, family)
        held = hold(organization_id, families)
        # Between the two, somebody may have erased the last connection of the owner, and its lanes with it.
        if len(held) == len(set(families)):
            return held


def seed_of(organization_id: str, family: str) -> Seed:
    """Return what the database knows of an owner's bucket by now; a full bucket for an unknown owner."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {_SEED} FROM workers_lane WHERE organization_id = %s AND family = %s",  # noqa: S608
                       [organization_id, family])  # fmt: skip
        row = cursor.fetchone()
    return Seed(*row) if row else Seed(rate_of(family).full_us)


# Credit earned since the level was noted, and what is left of a block, on one clock: the database's.
_LEVEL = "level_us + greatest(0, (extract(epoch FROM clock_timestamp() - level_at) * 1000000)::bigint)"
_SEED = f"""
    {_LEVEL},
    coalesce(greatest(0, (extract(epoch FROM blocked_until - clock_timestamp()) * 1000000)::bigint), 0)
"""


# Turns and connection tests note their grants in any order; the lower level is the one that knows of both.
_NOTE_LEVEL = f"level_us = least(%s, {_LEVEL}), level_at = clock_timestamp()"


def note_level(organization_id: str, family: str, answer: Answer) -> None:
    """
    Write down a bucket's level after a token was taken by a test of a key, which holds no lane; nothing for an owner without a lane.

    Must be committed before the request is sent, as with `note_grant`.
    """
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE workers_lane SET {_NOTE_LEVEL}, blocked_until = CASE WHEN %s > 0
                THEN clock_timestamp() + make_interval(secs => %s) ELSE blocked_until END
            WHERE organization_id = %s AND family = %s
            """,  # noqa: S608 - a piece of this module
            [answer.level_us, answer.blocked_seconds, answer.blocked_seconds, organization_id, family],
        )


def wake_due() -> list[int]:
    """
    Mark due lanes as woken and return their ids, oldest first, at most a thousand.

    Shape:   lanes waiting whose time has come, woken ones whose message got lost, leased ones whose holder
             died: one condition, because all three are "due_at has passed"
    Effects: one UPDATE, committed by itself; the caller sends one wake-up a lane afterwards
    """
    with database.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT id, due_at FROM workers_lane WHERE state <> 'idle' AND due_at <= now()
                ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
            ), woken AS (
                UPDATE workers_lane lane
                SET state = 'woken', lease_token = NULL, due_at = now() + make_interval(secs => %s)
                FROM due WHERE lane.id = due.id RETURNING lane.id, due.due_at
            )
            SELECT id FROM woken ORDER BY due_at
            """,
            [_WAKE_LIMIT, settings.WAKE_SECONDS],
        )
        return [lane_id for (lane_id,) in cursor.fetchall()]


def claim(lane_id: int) -> Lease | None:
    """Take the lane if it is woken or due; None for a stale, doubled or too early message."""
    token = uuid4()
    with database.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workers_lane
            SET state = 'leased', fence = fence + 1, lease_token = %s, due_at = now() + make_interval(secs => %s)
            WHERE id = %s AND (state = 'woken' OR (state <> 'idle' AND due_at <= now()))
            RETURNING fence, organization_id, family
            """,
            [token, settings.LEASE_SECONDS, lane_id],
        )
        row = cursor.fetchone()
    return Lease(lane_id, row[0], token, row[1], row[2]) if row else None


def note_grant(lease: Lease, answer: Answer) -> dt.datetime:
    """
    Write down the bucket's new level and renew the lease; return the database's time.

    Must be committed before the request is sent: should Redis then lose the bucket, it is seeded without
    the token this request uses. The returned time is the start of the request.
    """
    return _guarded(
        lease,
        f"{_NOTE_LEVEL}, due_at = now() + make_interval(secs => %s)",
        [answer.level_us, settings.LEASE_SECONDS],
    )


def note_penalty(lease: Lease, answer: Answer) -> None:
    """Write down an emptied bucket and its block."""
    _guarded(
        lease,
        "level_us = %s, level_at = clock_timestamp(), blocked_until = clock_timestamp() + make_interval(secs => %s)",
        [answer.level_us, answer.blocked_seconds],
    )


def park(lease: Lease, wait_seconds: float) -> None:
    """Give the lane back until then, or until a new run makes it look again (`make_due`, `schedule.start_due`)."""
    _guarded(
        lease,
        "state = 'waiting', lease_token = NULL, due_at = now() + make_interval(secs => %s)",
        [wait_seconds],
    )


def release(lease: Lease) -> None:
    """Give the lane back with nothing left to do; call with the lane locked and no open run seen."""
    _guarded(lease, "state = 'idle', lease_token = NULL, due_at = NULL", [])


def lock(lease: Lease) -> None:
    """Lock the lane's row for the rest of the transaction and prove the lease; raise LeaseLostError."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT fence, lease_token FROM workers_lane WHERE id = %s FOR NO KEY UPDATE", [lease.lane_id]
        )
        held = cursor.fetchone()
    if held != (lease.fencing_token, lease.lease_id):
        raise LeaseLostError(
            f"lane {lease.lane_id} is no longer held under fencing token {lease.fencing_token}"
        )


def hold(organization_id: str, families: Sequence[str]) -> list[Lane]:
    """
    Lock an owner's lanes of these families for the rest of the transaction; in the order of the families.

    Everybody locks lanes (by id) before the connection, or two would wait for each other for ever; runs and steps are
    locked by who holds their lane only.
    NO KEY UPDATE suffices against other holders and lets rows that refer to the lane be inserted meanwhile.
    """
    held = (
        Lane.objects.select_for_update(no_key=True)
        .filter(organization_id=organization_id, family__in=families)
        .order_by("pk")
    )
    return sorted(held, key=lambda lane: families.index(lane.family))


def hold_all(organization_id: str) -> list[Lane]:
    """Lock every lane of an owner as `hold` does: also those whose reports were turned off and whose steps are open."""
    return list(
        Lane.objects.select_for_update(no_key=True).filter(organization_id=organization_id).order_by("pk")
    )


def forget(organization_id: str) -> None:
    """
    Delete an owner's lanes once nobody is connected to it, so that its id is gone with the last that was erased.

    Call with them held. A worker that has one finds its lease lost; whoever connects it again makes new ones, whose level
    comes from Redis.
    """
    if not Connection.objects.filter(organization_id=organization_id).exists():
        Lane.objects.filter(organization_id=organization_id).delete()


def make_due(lane_id: int) -> None:
    """
    Make a lane due now because a run was added, a key replaced or a pause ended.

    Locks the row first: a worker that is about to set the lane idle then sees the new run, or this call sees
    the idle lane. A waiting lane looks again too: what it waits for may not hold for the new run, and whoever
    must wait for a token all the same is parked again; blocks of upstream live in the bucket.
    """
    with transaction.atomic():
        lane = Lane.objects.select_for_update(no_key=True).get(pk=lane_id)
        if lane.state in {Lane.State.IDLE, Lane.State.WAITING}:
            lane.state, lane.due_at = Lane.State.WAITING, database_now()
            lane.save(update_fields=["state", "due_at"])


def _guarded(lease: Lease, assignments: str, parameters: list[Any]) -> dt.datetime:
    with database.cursor() as cursor:
        cursor.execute(
            f"UPDATE workers_lane SET {assignments} "  # noqa: S608 - assignments are literals of this module
            "WHERE id = %s AND fence = %s AND lease_token = %s RETURNING clock_timestamp()",
            [*parameters, lease.lane_id, lease.fencing_token, lease.lease_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise LeaseLostError(
            f"lane {lease.lane_id} is no longer held under fencing token {lease.fencing_token}"
        )
    now: dt.datetime = row[0]
    return now
