"""The scheduler that beat runs: Celery's own, which heeds that nobody answers, and that its clock was set back."""

import time
from typing import Any

import redis
import structlog
from celery.beat import PersistentScheduler, ScheduleEntry

from foundation.queues import key_of
from workers import signs
from workers.bucket import redis_client

# A minute of ticks. With no worker they would grow by 90,000 a day, in a Redis that evicts nothing, and all would
# be run one after the other when a worker comes. One waiting tick does what a thousand do.
MOST_WAITING = 60

_log = structlog.get_logger(__name__)


class BoundedScheduler(PersistentScheduler):
    """Leaves out what is due while the messages of its queue are not taken; the next time comes by itself."""

    _is_full = False
    _latest = 0.0
    _signed: float | None = None

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Do what is due next; after the clock was set back, order the entries anew."""
        now = time.time()
        if now < self._latest:
            # Each waits at a moment of the old clock: whichever is looked at first would stand before the others
            # until that comes, and nobody would ring for as long as the clock was set back.
            self._heap = None
        self._latest = now
        if self._signed is None or time.monotonic() - self._signed >= signs.EVERY_SECONDS:
            signs.leave_of_beat()
            self._signed = time.monotonic()
        return super().tick(*args, **kwargs)

    def adjust(self, n: float | None, drift: float = 0.0) -> float | None:  # noqa: ARG002 - celery's signature
        """Wake when the next entry is due; Celery's own wakes 10 ms before and spins until then: 1 % of a core."""
        return n

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send a due entry's message, unless so many of its queue wait that one more would be the same."""
        queue = (entry.options or {})["queue"]
        waiting = _waiting(queue)
        if (waiting >= MOST_WAITING) is not self._is_full:
            self._is_full = not self._is_full
            event = "nobody_takes_messages" if self._is_full else "messages_are_taken_again"
            _log.warning(event, queue=queue, waiting=waiting)
        if not self._is_full:
            super().apply_entry(entry, producer=producer)


def _waiting(queue: str) -> int:
    """Return how many messages wait; 0 when Redis does not answer, which sending finds out, too."""
    try:
        # On a connection of our own: those of the broker's library do not survive what happens to it.
        return int(redis_client().llen(key_of(queue)))
    except redis.RedisError:
        return 0
