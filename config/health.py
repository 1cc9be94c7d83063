"""Health for load balancers and watchdogs: alive, able to serve, and whether data moves; tells nothing of any account.

django-health-check's views answer 500, render templates and run asynchronously; three JSON answers are less.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from http import HTTPStatus

import redis
import structlog
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F
from django.db.models.functions import Coalesce
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from foundation.problems import read_only
from integrations.models import Connection, Status
from workers.bucket import redis_client
from workers.clock import database_now
from workers.models import Lane
from workers.watch import EXPECTED_WITHIN

# A due lane is woken within a second; the wake time-out and the lease may add three minutes.
LANE_OVERDUE_AFTER = dt.timedelta(minutes=5)
log = structlog.get_logger(__name__)
Check = Callable[[], str | None]


def _database() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return None


def _redis() -> str | None:
    redis_client().ping()
    return None


def _migrations() -> str | None:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "Migrations are pending: run `manage.py migrate`." if pending else None


def _lanes() -> str | None:
    overdue = Lane.objects.exclude(state=Lane.State.IDLE).filter(
        due_at__lt=database_now() - LANE_OVERDUE_AFTER
    )
    return (
        "Work has been due for over 5 minutes: is a worker and the scheduler running?"
        if overdue.exists()
        else None
    )


def _connections() -> str | None:
    stale = (
        Connection.objects.filter(disconnected_at__isnull=True)
        .exclude(status=Status.PAUSED)
        .annotate(fresh_at=Coalesce(F("last_synced_at"), F("connected_at")))
        .filter(fresh_at__lt=database_now() - EXPECTED_WITHIN)
    )
    return "A connection has not synced for over 36 hours." if stale.exists() else None


_READY: Mapping[str, Check] = {"database": _database, "redis": _redis, "migrations": _migrations}
_DATA: Mapping[str, Check] = {"lanes": _lanes, "connections": _connections}


def _run(name: str, check: Check) -> str | None:
    try:
        return check()
    except (DatabaseError, redis.RedisError) as error:
        # Which server and why stands in the log, not in an answer anybody can read.
        log.warning("health_check_failed", check=name, error=type(error).__name__)
        return "It does not answer."


def _answer(checks: Mapping[str, Check]) -> JsonResponse:
    results = {name: _run(name, check) for name, check in checks.items()}
    is_well = not any(results.values())
    return JsonResponse(
        {
            "status": "ok" if is_well else "failing",
            "checks": {name: {"ok": not text, "detail": text} for name, text in results.items()},
        },
        status=HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE,
    )


@read_only
@never_cache
def live(_request: HttpRequest) -> JsonResponse:
    """Answer as long as the process can; asks nothing else, so that a dead database restarts no web process."""
    return _answer({})


@read_only
@never_cache
def ready(_request: HttpRequest) -> JsonResponse:
    """Say whether requests can be served: database, Redis, migrations."""
    return _answer(_READY)


@read_only
@never_cache
def data(_request: HttpRequest) -> JsonResponse:
    """Say whether data moves: no work long overdue, no connection without a success for too long."""
    return _answer(_DATA)
