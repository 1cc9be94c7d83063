"""Streams a file out of one consistent look at the database, or breaks the transfer off; knows no format.

first chunk inside the view (what is wrong becomes a problem) ─▶ the rest chunk by chunk ─▶ end, or the connection is
closed in the middle: a file that lacks rows never looks whole
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from threading import BoundedSemaphore

import structlog
from django.db import connection as database
from django.db import transaction

from config.problems import ProblemError

# Of eight threads of a web process: clients that read slowly must leave some to everybody else.
MOST_AT_ONCE = 4
MOST_SECONDS = 900
# A client that stops reading must not hold back the database's clean-up: the server ends our transaction.
_IDLE_SECONDS = 60
_RETRY_AFTER_SECONDS = 15

Chunks = Generator[bytes, None, None]

log = structlog.get_logger(__name__)
_places = BoundedSemaphore(MOST_AT_ONCE)


class ExportTooSlowError(Exception):
    """The transfer took longer than a look at the database may last; the client sees it break off."""


@contextmanager
def snapshot() -> Iterator[None]:
    """Let everything inside see the database as it is at the first query; nothing can be written."""
    with transaction.atomic(durable=True):
        with database.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        yield


class Stream:
    """
    The chunks of one file, of which the first is there already.

    Raises:  whatever making the first chunk raises, when it is made: nothing has been sent by then
    Effects: holds the thread's database connection in a transaction until it is read to its end or closed
    """

    def __init__(self, name: str, produce: Callable[[], Chunks]) -> None:
        self._chunks = _chunks(name, produce)
        self._first: bytes | None = next(self._chunks, b"")

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._chunks)

    def close(self) -> None:
        """End the transaction, also when the client has left in the middle; Django calls it with the response's."""
        self._chunks.close()


def _chunks(name: str, produce: Callable[[], Chunks]) -> Chunks:
    if not _places.acquire(blocking=False):
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "exports_busy",
            f"{MOST_AT_ONCE} exports are running, which is the most at once. Try again in a moment.",
            is_temporary=True,
            wait=_RETRY_AFTER_SECONDS,
        )
    began, sent, outcome = time.monotonic(), 0, "broken"
    try:
        # The cursor is closed before its transaction ends.
        with snapshot(), closing(produce()) as chunks:
            for chunk in chunks:
                if time.monotonic() - began > MOST_SECONDS:
                    raise ExportTooSlowError(name)
                yield chunk
                sent += len(chunk)
        outcome = "whole"
    finally:
        _places.release()
        log.info("export", file=name, outcome=outcome, bytes=sent, seconds=round(time.monotonic() - began, 3))
