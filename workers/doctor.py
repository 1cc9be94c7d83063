"""Checks of a whole installation; each says what it saw and, if something is wrong, what to do."""

import datetime as dt
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from integrations.checks import missing_ring_keys
from integrations.models import Connection, Credential, Status
from workers.bucket import redis_client
from workers.clock import database_now
from workers.models import Lane

_CLOCK_TOLERANCE = dt.timedelta(seconds=5)
_OVERDUE = dt.timedelta(minutes=5)
_FREE_BYTES = 1_000_000_000
_REACH_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw; `remedy` is empty when all is well."""

    name: str
    seen: str
    remedy: str = ""

    @property
    def is_well(self) -> bool:
        """True when nothing has to be done."""
        return not self.remedy


def examine() -> Iterator[Finding]:
    """Run every check in the order in which one depends on the other."""
    checks: list[Callable[[], Finding]] = [
        _database, _migrations, _redis, _ring, _workers, _lanes, _connections, _clock, _disk, _upstream,
    ]  # fmt: skip
    for check in checks:
        finding = check()
        yield finding
        if check is _database and not finding.is_well:
            return  # all the others would only say the same


def _database() -> Finding:
    try:
        with database.cursor() as cursor:
            cursor.execute("SHOW server_version")
            (version,) = cursor.fetchone()
    except DatabaseError as error:
        return Finding("database", str(error).strip(), "Start PostgreSQL, or correct DATABASE_URL.")
    return Finding("database", f"PostgreSQL {version}")


def _migrations() -> Finding:
    executor = MigrationExecutor(database)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        return Finding("migrations", f"{len(pending)} not applied", "Run: python3 manage.py migrate")
    return Finding("migrations", "all applied")


def _redis() -> Finding:
    try:
        info = redis_client().info()
    except redis.RedisError as error:
        return Finding(
            "redis", type(error).__name__, "Start Redis, or correct REDIS_URL. Nothing is lost meanwhile."
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return Finding(
            "redis",
            f"maxmemory-policy is {policy}",
            "Set maxmemory-policy noeviction: buckets must not vanish.",
        )
    return Finding("redis", f"version {info.get('redis_version')}, {info.get('used_memory_human')} used")


def _ring() -> Finding:
    known = [key_id for key_id, _ in settings.CREDENTIAL_KEYS]
    missing = missing_ring_keys()
    old = Credential.objects.exclude(key_id=known[0]).filter(key_id__in=known).count()
    if missing:
        return Finding(
            "key ring",
            f"ring key {', '.join(missing)} is missing",
            "Put it back into CREDENTIAL_KEYS.",
        )
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
        return Finding(
            "workers",
            "none waits for work",
            "Start one: python3 manage.py up, or the worker line of the Procfile.",
        )
    return Finding("workers", f"{waiting} waiting for work")


def _lanes() -> Finding:
    """A lane long overdue means that nobody ticks (no beat) or nobody works."""
    overdue = Lane.objects.exclude(state=Lane.State.IDLE).filter(due_at__lt=database_now() - _OVERDUE).count()
    if overdue:
        return Finding(
            "beat",
            f"{overdue} lanes overdue by more than 5 minutes",
            "Start beat (and a worker); see their logs.",
        )
    return Finding("beat", "no lane is overdue")


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


def _upstream() -> Finding:
    """Only a TCP connection: a request would need a key and a token."""
    parts = urlsplit(settings.ANTHROPIC_BASE_URL)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=_REACH_SECONDS).close()
    except OSError as error:
        remedy = "Allow outgoing connections to it (or set HTTPS_PROXY), or correct ANTHROPIC_BASE_URL."
        return Finding("upstream", f"{address[0]}:{address[1]}: {error}", remedy)
    return Finding("upstream", f"{address[0]}:{address[1]} can be reached")
