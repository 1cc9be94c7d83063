"""Celery tasks: a name, ids, one call. All state is in rows; losing or doubling a message changes nothing."""

import time

import redis
import structlog
from celery import current_app, shared_task
from celery.signals import task_postrun, task_prerun, worker_init
from django.db import InterfaceError, OperationalError, close_old_connections, connection, connections

from alerts import outbox
from foundation.queues import key_of
from integrations import checks
from workers import executor, lanes, plans, retention, schedule, watch
from workers.bucket import redis_client
from workers.clock import database_now
from workers.failpoints import failpoint
from workers.models import Lane

_log = structlog.get_logger(__name__)
# Wake-ups beyond this only age in the broker; the lanes stay due and the next tick finds them.
_LONGEST_QUEUE = 5000
# How often an empty database is looked at.
_LOOK_SECONDS = 1.0


@worker_init.connect
def refuse_incomplete_ring(**_: object) -> None:
    """Stop a worker from starting that could not open what is stored."""
    _wait_for_migrations()
    refusal = checks.refusal_to_start()
    connections.close_all()  # each thread of the pool opens its own
    if refusal:
        _log.critical("refused_to_start", reason=refusal)
        # Celery goes on after any other exception in a receiver.
        raise SystemExit(1)


def _wait_for_migrations() -> None:
    """Wait on an empty database until somebody makes the tables; without one, start and wait for it as ever."""
    told = False
    try:
        while Lane._meta.db_table not in connection.introspection.table_names():
            if not told:
                _log.warning("waiting_for_migrations", remedy="Run: python3 manage.py release")
            told = True
            time.sleep(_LOOK_SECONDS)
    except (OperationalError, InterfaceError) as error:
        _log.warning("tables_not_checked", error=type(error).__name__)


@task_prerun.connect
@task_postrun.connect
def keep_usable_connections(**_: object) -> None:
    """Close what is old or broken, and have the next task look at what it is given before it uses it."""
    close_old_connections()


@shared_task(name="workers.tick")
def tick(**_unknown: object) -> dict[str, int]:
    """Turn due lanes into wake-ups, and due connections into daily runs; every second, as often as you like."""
    # Lanes first: whatever keeps a daily run from being started must not keep everybody else's work from being done.
    woken = _wake_due()
    daily = schedule.start_due()
    failpoint("daily-started")
    if daily:
        woken += _wake_due()
    return {"daily": daily, "woken": woken}


def _wake_due() -> int:
    if _queue_length() > _LONGEST_QUEUE:
        return 0
    woken = lanes.wake_due()
    failpoint("tick-woken")
    if woken:
        # Borrowed once for all of them: up to a thousand messages need not each ask the pool for a connection.
        with current_app.producer_pool.acquire(block=True) as producer:
            for lane_id in woken:
                run_lane.apply_async(kwargs={"lane_id": lane_id}, producer=producer)
    return len(woken)


@shared_task(name="workers.run_lane")
def run_lane(*, lane_id: int, **_unknown: object) -> dict[str, int]:
    """Process one lane."""
    with structlog.contextvars.bound_contextvars(lane_id=lane_id):
        return {"requests": executor.process_lane(lane_id)}


@shared_task(name="workers.watch")
def watch_connections(**_unknown: object) -> dict[str, int]:
    """Tell people about connections that have not succeeded in time; fetch what a larger plan includes."""
    return {"late": watch.tell_about_late(database_now()), "deepened": plans.follow()}


@shared_task(name="workers.send_outbox")
def send_outbox(**_unknown: object) -> dict[str, int]:
    """Send due e-mails."""
    return {"sent": outbox.send_due(now=database_now())}


@shared_task(name="workers.prune")
def prune_archive(**_unknown: object) -> dict[str, int]:
    """Delete archived pages that are older than they have to be kept."""
    return {"pruned": retention.prune(database_now())}


def _queue_length() -> int:
    try:
        return int(redis_client().llen(key_of("lanes")))
    except redis.RedisError as error:
        _log.warning("queue_unknown", error=type(error).__name__)
        return 0
