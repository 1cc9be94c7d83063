"""Gunicorn's threaded worker with an end to waiting for a client; knows no address and no answer of the product."""

import contextlib
import socket
import struct
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):
    """
    Frees the thread of a client that neither takes its answer nor sends the rest of its request.

    Gunicorn waits for both for ever; its own `timeout` is about a worker that hangs. The same seconds are given here to
    each single write, whatever its size, and to each read of headers or a body: a client that sends a byte now and
    then is not noticed. What the answer holds, such as a place among the exports and a transaction, is given back while
    the answer is closed.
    """

    def handle(self, conn: Any) -> Any:
        """Read requests of a connection and answer them."""
        # Gunicorn makes the socket a blocking one before it reads the headers; this is the kernel's own limit.
        limit = struct.pack("ll", int(self.cfg.timeout), 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer one request; False where the connection is not to be used again."""
        conn.sock.settimeout(self.cfg.timeout or None)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.warning("Gave a client up that took nothing for %s seconds.", self.cfg.timeout)
            # Or the thread that accepts connections would wait two seconds for this one's farewell.
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR)
            return False
