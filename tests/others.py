"""Somebody else who acts at the same time, with a database connection of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, connections, transaction

_PATIENCE_SECONDS = 20


class Other:
    """Somebody else, in a thread with a session of its own."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.error: Exception | None = None
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except Exception as error:  # noqa: BLE001 - handed to the test, which says which one it expects
            self.error = error
        finally:
            connections.close_all()

    def wait_until_blocked(self) -> None:
        """Return once a session waits for a lock of another one."""
        assert self.is_blocked_at_last(), "nobody waits for a lock"

    def is_blocked_at_last(self) -> bool:
        """Say, once it is clear, whether it has to wait for a lock or comes to its end."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end and self._thread.is_alive():
            if _is_anybody_blocked():
                return True
        return False

    def join(self) -> None:
        self._thread.join(timeout=_PATIENCE_SECONDS)
        assert not self._thread.is_alive()


def _is_anybody_blocked() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees its first look for ever
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
        )
        return bool(cursor.fetchone()[0])


def at_once(first: Callable[[], Any], second: Callable[[], Any]) -> Exception | None:
    """Do the second while the first has not committed yet; return what the second was refused with."""
    with transaction.atomic():
        first()
        other = Other(second)
        other.is_blocked_at_last()
    other.join()
    return other.error
