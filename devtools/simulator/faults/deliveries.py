"""Faults of the connection: a right answer that comes late, slowly, in part or not at all."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fault import Options


def slow(connection: socket.socket, payload: bytes, options: Options) -> bool:
    """Wait `seconds` before the first byte."""
    if _client_left(connection, options.number("seconds", 1)):
        return False
    connection.sendall(payload)
    return True


def drip(connection: socket.socket, payload: bytes, options: Options) -> bool:
    """Send the headers at once and the body `bytes` at a time, every `interval` seconds."""
    size, interval = max(1, options.whole("bytes", 64)), options.number("interval", 0.05)
    start = payload.index(b"\r\n\r\n") + 4
    connection.sendall(payload[:start])
    for place in range(start, len(payload), size):
        connection.sendall(payload[place : place + size])
        if _client_left(connection, interval):
            return False
    return True


def cut_body(connection: socket.socket, payload: bytes, options: Options) -> bool:  # noqa: ARG001 — every delivery has this signature
    """Promise the whole body, send half of it and close."""
    start = payload.index(b"\r\n\r\n") + 4
    connection.sendall(payload[: start + (len(payload) - start) // 2])
    return False


def hang(connection: socket.socket, payload: bytes, options: Options) -> bool:
    """Say nothing for `seconds`, or until the client leaves; with `inside_body` fall silent after half of the body."""
    if options.flag("inside_body"):
        cut_body(connection, payload, options)
    _client_left(connection, options.number("seconds", 60))
    return False


def connection_reset(connection: socket.socket, payload: bytes, options: Options) -> bool:  # noqa: ARG001 — every delivery has this signature
    """Close so that the client sees a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Closing the descriptor itself: the ordinary way says goodbye first, and the client would see a clean end.
    os.close(connection.detach())
    return False


def _client_left(connection: socket.socket, seconds: float) -> bool:
    """Wait up to `seconds`; True as soon as the client has closed its side."""
    # poll, because select refuses descriptors above 1023 and a load test has as many.
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    deadline = time.monotonic() + seconds
    while (remaining := deadline - time.monotonic()) > 0:
        readable = poll.poll(remaining * 1000)
        if readable and not connection.recv(1, socket.MSG_PEEK):
            return True
        if readable:
            # A pipelined request is waiting: there is nothing left to watch for.
            time.sleep(max(0.0, deadline - time.monotonic()))
    return False
