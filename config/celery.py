"""The Celery application: an executor for wake-ups; all state that matters is in PostgreSQL.

Settings follow measurements of celery 5.6.3, kombu 5.7.0 and redis-py 8.1.0 under killed, flushed and
frozen Redis (docs/adr/0002-celery-pins.md). Never used here: eta, countdown, expires (they trust clocks
of other machines), chains and chords, result backends, rate_limit.
"""

import os
import sys
from datetime import datetime
from typing import Any

from celery import Celery
from celery.schedules import crontab, schedule
from celery.signals import setup_logging
from kombu import Queue

from foundation import queues

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery throws away what the checks say, and they import every page; what must stop a worker is in workers/tasks.py.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")


class Interval(schedule):
    """Every so many seconds, also after the clock was set back; Celery's own waits until it has caught up."""

    def is_due(self, last_run_at: datetime) -> Any:  # celery's stubs name a type its code does not return
        """Say whether it is time, and in how many seconds to look again; a run in the future was no run."""
        now = self.now()
        was_set_back = self.maybe_make_aware(last_run_at) > now
        return super().is_due(now - self.run_every if was_set_back else last_run_at)


app = Celery("tallystick")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # the default gives up after 100 tries and leaves a dead worker
    broker_transport_options={
        "global_keyprefix": queues.KEY_PREFIX,
        "visibility_timeout": 600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_restore_limit": 1000,
        "socket_timeout": 15,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,  # finds half-open connections; without it a worker waits for ever
        "retry_on_timeout": True,
    },
    task_acks_late=True,
    task_reject_on_worker_lost=False,  # the lease recovers the work; a poison message must not loop
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    # Ticks have a queue of their own: a thousand woken lanes must not stand before the next tick.
    task_queues=[Queue("ticks"), Queue("lanes")],
    task_default_queue="lanes",
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    # Its pub/sub connection, reset by the network, is read without a time-out in the worker's only loop: the
    # process lives and takes no message until somebody restarts it (kombu 5.7.0 with redis-py 8.1.0).
    worker_enable_remote_control=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # the fence makes a late finish harmless
    worker_soft_shutdown_timeout=20,
    # Celery would close the database's connection after every task, and each would begin with a new server process
    # that knows no table yet. Ours end as those of requests do: by age, or unusable (workers.tasks).
    CELERY_DB_REUSE_MAX=sys.maxsize,
    timezone="UTC",
    beat_scheduler="config.beat:BoundedScheduler",
    beat_schedule={
        "tick": {"task": "workers.tick", "schedule": Interval(1.0), "options": {"queue": "ticks"}},
        "watch": {"task": "workers.watch", "schedule": Interval(300.0), "options": {"queue": "ticks"}},
        # A minute of the hour, not an interval: that begins anew with every start of beat, whose schedule file
        # may be lost, and might never end.
        "prune": {"task": "workers.prune", "schedule": crontab(minute=17), "options": {"queue": "ticks"}},
        "outbox": {"task": "workers.send_outbox", "schedule": Interval(5.0), "options": {"queue": "ticks"}},
    },
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Stop Celery from replacing the redacting log set-up that Django's settings made."""
