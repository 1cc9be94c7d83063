"""Streams a file out of one consistent look at the database, or breaks the transfer off; knows no format.

a place ─▶ first chunk inside the view (what is wrong becomes a problem) ─▶ the rest chunk by chunk ─▶ end, or the
connection is closed in the middle: a file that lacks rows never looks whole
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import structlog
from django.db import connection as database
from django.db import transaction
from django.http import HttpRequest, StreamingHttpResponse

from foundation.concurrency import ConcurrencyLimit
from foundation.problems import ProblemError

# Files have threads of their own (runtime.rooms), one more than this, so that whoever finds no place is told why.
MOST_AT_ONCE = 4
MOST_AN_ACCOUNT = 2
MOST_SECONDS = 900
# A client that stops reading is runtime.web_worker's to give up. Should nobody do so, the database ends our transaction,
# which holds back its clean-up. Between two trips to it a client takes some 2 MB, and may be slow.
_IDLE_SECONDS = 300
# What a client has to take within the web process's time limit for one write: a group of rows of a Parquet file is
# many times that.
_BYTES_A_PIECE = 131_072

Chunks = Generator[bytes, None, None]

log = structlog.get_logger(__name__)
_places = ConcurrencyLimit(MOST_AT_ONCE, MOST_AN_ACCOUNT)


class ExportTooSlowError(Exception):
    """The transfer took longer than a look at the database may last; the client sees it break off."""


@dataclass(frozen=True, slots=True)
class Export:
    """
    One file for one account.

    Shape:   `name` is the kind of file, for the log; `produce` writes it, called and read inside one transaction that can
             write nothing; `announce` is called before that, once there is a place, and may write
    """

    name: str
    account_id: UUID
    produce: Callable[[], Chunks]
    announce: Callable[[], object] | None = None


@contextmanager
def snapshot() -> Iterator[None]:
    """Let everything inside see the database as it is at the first query; nothing can be written."""
    with transaction.atomic(durable=True):
        with database.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        yield


def answer(request: HttpRequest, export: Export, *, filename: str, media_type: str) -> StreamingHttpResponse:
    """
    Answer with the file; HEAD with its head, without reading a row.

    Raises:  ProblemError: 426 http_1_1_required, those of `ConcurrencyLimit.held`; and whatever making the first chunk raises
    """
    _refuse_old_http(request)
    # Streamed for HEAD as well: its length would be said to be nought otherwise.
    chunks: Iterable[bytes] = () if request.method == "HEAD" else Stream(export)
    sent = StreamingHttpResponse(chunks, content_type=media_type)
    sent.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    sent.headers["Cache-Control"] = "no-store"
    # A proxy that collects an answer before it passes it on would collect all of this one.
    sent.headers["X-Accel-Buffering"] = "no"
    return sent


def _refuse_old_http(request: HttpRequest) -> None:
    if request.META.get("SERVER_PROTOCOL") in {"HTTP/1.0", "HTTP/0.9"}:
        raise ProblemError(
            HTTPStatus.UPGRADE_REQUIRED,
            "http_1_1_required",
            "Ask with HTTP/1.1, and let a proxy in between do so: with HTTP/1.0 a file that broke off in the middle "
            "looks like a whole one.",
        )


class Stream:
    """
    The chunks of one file, of which the first is there already.

    Raises:  whatever making the first chunk raises, when it is made: nothing has been sent by then
    Effects: holds a place and the thread's database connection in a transaction until it is read to its end or closed
    """

    def __init__(self, export: Export) -> None:
        self._chunks = _chunks(export)
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


def _chunks(export: Export) -> Chunks:
    with _places.held(export.account_id):
        if export.announce:
            export.announce()
        began, sent, outcome = time.monotonic(), 0, "broken"
        try:
            # The cursor is closed before its transaction ends.
            with snapshot(), closing(export.produce()) as chunks:
                for piece in _pieces(chunks):
                    if time.monotonic() - began > MOST_SECONDS:
                        raise ExportTooSlowError(export.name)
                    yield piece
                    sent += len(piece)
            outcome = "whole"
        finally:
            seconds = round(time.monotonic() - began, 3)
            log.info("export", file=export.name, outcome=outcome, bytes=sent, seconds=seconds)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _BYTES_A_PIECE):
            yield chunk[start : start + _BYTES_A_PIECE]
