"""Checks of a whole installation; each says what it saw and, if something is wrong, what to do."""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Sequence

import redis
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from integrations import checks
from integrations.models import Connection, Credential, Status
from workers import signs
from workers.bucket import redis_client
from workers.clock import database_now
from workers.findings import Finding
from workers.models import Lane
from workers.servers import look_at_database, look_at_mail, look_at_outbox, look_at_redis, look_at_upstream

_CLOCK_TOLERANCE = dt.timedelta(seconds=5)
_OVERDUE = dt.timedelta(minutes=5)
_FREE_BYTES = 1_000_000_000
_MOST_NAMES = 5
_START = "Start one: python3 manage.py up, or the {} line of the Procfile."

Check = Callable[[], Finding]


def examine() -> Iterator[Finding]:
    """
    Run every check in the order in which one depends on the other.

    Without a database, or with one whose tables are not those of this release, only what needs none is looked at: all
    the others would say the same.
    """
    elsewhere: Sequence[Check] = (look_at_redis, _disk, look_at_upstream, look_at_mail)
    for check in (look_at_database, _migrations):
        finding = check()
        yield finding
        if not finding.is_well:
            yield from (each() for each in elsewhere)
            return
    rest: Sequence[Check] = (
        look_at_redis, _ring, _workers, _beat, _connections, _clock, _disk, look_at_upstream, look_at_mail,
        look_at_outbox,
    )  # fmt: skip
    yield from (each() for each in rest)


def _migrations() -> Finding:
    try:
        executor = MigrationExecutor(database)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return Finding("migrations", str(error).strip(), "Give Tallystick's role its rights on the schema.")
    if pending:
        return Finding("migrations", f"{len(pending)} not applied", "Run: python3 manage.py migrate")
    return Finding("migrations", "all applied")


def _ring() -> Finding:
    known = [key_id for key_id, _ in settings.CREDENTIAL_KEYS]
    if troubles := checks.ring_troubles():
        ids = " or ".join(f"--give-up {key_id}" for key_id in troubles)
        remedy = (
            "Put the right one into CREDENTIAL_KEYS, behind the active one, and restart. Is it lost for good, run: python3 "
            f"manage.py rotate_credentials {ids}; then replace the keys of the connections."
        )
        return Finding("key ring", " ".join(troubles.values()), remedy)
    if unread := checks.connections_without_key():
        names = ", ".join(each.label for each in unread[:_MOST_NAMES])
        seen = f"the keys of {len(unread)} connections are missing or damaged"
        return Finding("key ring", seen, f"Replace the keys of: {names}.")
    old = Credential.objects.exclude(key_id=known[0]).filter(key_id__in=known).count()
    if old:
        return Finding(
            "key ring", f"{old} keys under an older ring key", "Run: python3 manage.py rotate_credentials"
        )
    return Finding("key ring", f"{Credential.objects.count()} stored keys, active ring key {known[0]!r}")


def _workers() -> Finding:
    """Count who waits for messages; workers are not asked themselves, see `worker_enable_remote_control`."""
    try:
        client = redis_client()
        # Another installation, or another program, may use the same Redis: its workers are not ours.
        ours = str(client.connection_pool.connection_kwargs.get("db", 0))
        waiting = sum(each["cmd"] == "brpop" and each["db"] == ours for each in client.client_list())
    except (redis.RedisError, OSError) as error:
        return Finding("workers", type(error).__name__, "They are reached through Redis: mend that first.")
    if not waiting:
        return Finding("workers", "none waits for work", _START.format("worker"))
    return Finding("workers", f"{waiting} waiting for work")


def _beat() -> Finding:
    """Without beat nothing begins; work that is long due though it rings means that nobody gets to it."""
    try:
        is_alive = signs.is_beat_alive()
    except (redis.RedisError, OSError) as error:
        return Finding("beat", type(error).__name__, "It is seen through Redis: mend that first.")
    if not is_alive:
        seen = f"no sign of it for {signs.GOOD_FOR_SECONDS} seconds"
        return Finding("beat", seen, _START.format("beat"))
    overdue = Lane.objects.exclude(state=Lane.State.IDLE).filter(due_at__lt=database_now() - _OVERDUE).count()
    if overdue:
        seen = f"it rings, but {overdue} lanes are overdue by more than 5 minutes"
        return Finding("beat", seen, "Start a worker, or more of them; their logs say what keeps them.")
    return Finding("beat", "it rings, and no lane is overdue")


def _connections() -> Finding:
    live = Connection.objects.filter(disconnected_at__isnull=True)
    broken = live.filter(status=Status.ERROR)
    if broken:
        names = "; ".join(f"{each.label}: {each.detail} {each.remedy}" for each in broken[:5])
        return Finding("connections", f"{len(broken)} need a person", names)
    return Finding("connections", f"{live.count()} connected")


def _clock() -> Finding:
    apart = abs(timezone.now() - database_now())
    if apart > _CLOCK_TOLERANCE:
        return Finding(
            "clock",
            f"{apart.total_seconds():.0f} s from the database's",
            "Switch on time synchronisation on both.",
        )
    return Finding("clock", f"{apart.total_seconds():.1f} s from the database's")


def _disk() -> Finding:
    free = shutil.disk_usage(settings.BASE_DIR).free
    seen = f"{free / 1e9:.1f} GB free"
    return Finding(
        "disk", seen, "" if free > _FREE_BYTES else "Make room; PostgreSQL stops when its disk is full."
    )
