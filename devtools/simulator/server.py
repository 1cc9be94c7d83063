"""The socket side: a small threaded HTTP/1.1 server with keep-alive; knows no endpoint and no fault by name."""

from __future__ import annotations

import socket
import socketserver
import time
from typing import TYPE_CHECKING, BinaryIO

from .wire import JSON_TYPE, Request, Response, json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LINE_BYTES = 65_536
_MAX_HEADERS = 100
_MAX_BODY_BYTES = 2**20
_IDLE_SECONDS = 120.0


class SimulatorServer(socketserver.ThreadingTCPServer):
    """Hands every request to one function; a thread per connection, which suits a few hundred clients."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], answer: Callable[[Request], Response]) -> None:
        super().__init__(address, _Connection)
        self.answer = answer


class _MalformedError(Exception):
    """The bytes that arrived are no HTTP request."""


class _Connection(socketserver.BaseRequestHandler):
    request: socket.socket
    server: SimulatorServer

    def handle(self) -> None:
        connection = self.request
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(_IDLE_SECONDS)
        with connection.makefile("rb") as stream:
            try:
                while self._serve_one(connection, stream):
                    pass
            except _MalformedError:
                refusal = _refusal()
                connection.sendall(refusal.head() + refusal.body)
            except (ConnectionError, TimeoutError):
                return  # clients that go away are the ordinary end of a connection

    def _serve_one(self, connection: socket.socket, stream: BinaryIO) -> bool:
        """Serve one request; False when the connection is to be closed."""
        request = _read_request(stream, self.client_address[0])
        if request is None:
            return False
        response = self.server.answer(request)
        closes = request.headers.get("connection", "").lower() == "close"
        if closes:
            response.headers["connection"] = "close"
        payload = response.head() + response.body
        if response.deliver is not None:
            return response.deliver(connection, payload) and not closes
        connection.sendall(payload)
        return not closes


def _read_request(stream: BinaryIO, client_host: str) -> Request | None:
    line = stream.readline(_MAX_LINE_BYTES)
    if not line:
        return None
    arrived_ns = time.monotonic_ns()
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _MalformedError
    headers = _read_headers(stream)
    if parts[2] == "HTTP/1.0":
        headers["connection"] = "close"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _MAX_BODY_BYTES or "transfer-encoding" in headers:
        raise _MalformedError
    body = stream.read(int(length)) if length != "0" else b""
    path, _, query = parts[1].partition("?")
    return Request(parts[0], path, query, headers, body, client_host, arrived_ns)


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = stream.readline(_MAX_LINE_BYTES)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _MalformedError
        headers[name.strip().lower()] = value.strip()
    raise _MalformedError


def _refusal() -> Response:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "Bad request"}}
    return Response(400, json_bytes(body), {"content-type": JSON_TYPE, "connection": "close"})
