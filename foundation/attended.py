"""Ends the work of a request that nobody waits for any more, or that takes too long; knows no view.

A thread of the web process looks at the requests under way four times a second. Where the client has gone or the time
is over, it cancels the statement that runs in PostgreSQL, and no further one is begun: the request ends with an error,
its transaction with a rollback, and its thread is free.

A limit in the database's own settings would need a command for each connection, which a pooler hands on to the next
process, and would end one statement of thirty seconds but not twenty of two.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponseBase

from runtime import rooms
from runtime.sockets import has_left

READING_SECONDS = 30.0
# Who writes has asked for something that is to happen; erasing the history of a year takes its time.
WRITING_SECONDS = 120.0
# Until the first byte of a file; afterwards foundation.streaming has its own limit.
FILE_SECONDS = 300.0
_LOOK_SECONDS = 0.25
_CANCEL_SECONDS = 2.0
_SOCKET = "gunicorn.socket"
_SAFE_METHODS = frozenset({"GET", "HEAD"})

log = structlog.get_logger(__name__)


class EndedError(OperationalError):
    """The request was ended before this statement; the message says why."""


class _Attended:
    """One request under way, and the database connection of its thread."""

    def __init__(self, request: HttpRequest, database: BaseDatabaseWrapper) -> None:
        self._socket = request.META[_SOCKET]
        # Who writes is not stopped by leaving: they have clicked, and may well close the page.
        self._is_reading = _is_reading(request)
        self._ends_at = time.monotonic() + _seconds_of(request)
        self._database = database
        self._lock = threading.Lock()
        self._is_over = False
        self.ended = ""

    def look(self) -> None:
        """Cancel what runs where nobody waits for it; again each time, until the request is over."""
        self.ended = self.ended or self._why()
        if not self.ended:
            return
        with self._lock:
            # Afterwards the connection is another request's.
            running = None if self._is_over else self._database.connection
            if running is not None:
                with contextlib.suppress(psycopg.Error):
                    running.cancel_safe(timeout=_CANCEL_SECONDS)

    def _why(self) -> str:
        if time.monotonic() > self._ends_at:
            return "too_slow"
        return "client_gone" if self._is_reading and has_left(self._socket) else ""

    def before(self, execute: Callable[..., Any], *statement: Any) -> Any:
        """Run a statement, unless the request was ended."""
        if self.ended:
            raise EndedError(self.ended)
        return execute(*statement)

    def close(self) -> None:
        """Stop: what is cancelled from now on would be somebody else's."""
        with self._lock:
            self._is_over = True
        if self.ended:
            # A cancellation may still be on its way to the server.
            self._database.close()


def _seconds_of(request: HttpRequest) -> float:
    if rooms.kind_of(request.path) == "files":
        return FILE_SECONDS
    return READING_SECONDS if _is_reading(request) else WRITING_SECONDS


def _is_reading(request: HttpRequest) -> bool:
    return request.method in _SAFE_METHODS or request.path.endswith("/search/")


class _Watch:
    """The thread that looks; started with the first request, which is after gunicorn forked its workers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._attended: set[_Attended] = set()
        self._thread: threading.Thread | None = None

    def add(self, attended: _Attended) -> None:
        with self._changed:
            self._attended.add(attended)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="attended", daemon=True)
                self._thread.start()
            self._changed.notify()

    def remove(self, attended: _Attended) -> None:
        with self._changed:
            self._attended.discard(attended)

    def _look(self) -> None:
        while True:
            with self._changed:
                while not self._attended:
                    self._changed.wait()
                under_way = list(self._attended)
            for attended in under_way:
                attended.look()
            time.sleep(_LOOK_SECONDS)


_watch = _Watch()


def middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Attend to each request that comes over a socket; stands outside of everything that asks the database."""

    def attend(request: HttpRequest) -> HttpResponseBase:
        if _SOCKET not in request.META:
            return get_response(request)
        database = connections[DEFAULT_DB_ALIAS]  # this thread's own
        attended = _Attended(request, database)
        _watch.add(attended)
        try:
            with database.execute_wrapper(attended.before):
                return get_response(request)
        finally:
            _watch.remove(attended)
            attended.close()
            if attended.ended:
                log.info("request_ended", reason=attended.ended, path=request.path)

    return attend
