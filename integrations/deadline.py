"""Owns sockets that keep to the deadline of a whole request, for urllib3's pools; knows nothing of what is sent."""

from __future__ import annotations

import io
import math
import socket
import time
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

# When the request of this thread must be over, in seconds of the monotonic clock.
_DEADLINE: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give everything this thread does on our sockets inside the block `seconds` in all."""
    token = _DEADLINE.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def _seconds_left(limit_seconds: Any) -> float:
    """Seconds one socket operation may take now: the usual limit, but never past the deadline of the request."""
    left = _DEADLINE.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline of the request has passed")
    return min(left, limit_seconds) if isinstance(limit_seconds, int | float) else left


class _DeadlineReader(io.RawIOBase):
    """Reads a socket under the deadline: a socket's own time-out starts anew with every byte that drips in."""

    def __init__(self, raw: socket.SocketIO, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._limit_seconds = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_seconds_left(self._limit_seconds))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # Status line, headers and body all come through fp.
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock.makefile("rb", buffering=0), sock))


class _DeadlineConnection(HTTPConnection):
    response_class = _DeadlineResponse

    def _new_conn(self) -> socket.socket:
        # urllib3's own would give every address of the name the full time-out. The name look-up itself is
        # bounded by the system's resolver settings only.
        try:
            found = socket.getaddrinfo(
                self._dns_host.strip("[]"), self.port, allowed_gai_family(), socket.SOCK_STREAM
            )
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        failure = OSError("the name has no address")
        for *_, address in found:
            try:
                sock = create_connection(
                    (str(address[0]), self.port),
                    _seconds_left(self.timeout),
                    socket_options=self.socket_options,
                )
                # The TLS handshake that follows runs under this limit as a whole.
                sock.settimeout(_seconds_left(self.timeout))
            except OSError as error:
                failure = error
            else:
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "no connection in time") from failure
        raise NewConnectionError(self, "no connection") from failure


class _DeadlineTlsConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _DeadlineConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _DeadlineTlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
