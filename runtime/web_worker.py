"""
Gunicorn's threaded worker with a door: who comes in, who waits, who is refused; knows no answer of the product.

accept ─▶ the request arrives, without a thread ─▶ its room (runtime.rooms) ─▶ a thread of that room, the line, or 503
       └▶ liveness is answered there and then
─▶ the connection is kept for the next request, or says farewell, without a thread

Gunicorn has one pool and one line without end: whoever fills it keeps everybody waiting, the health check too.
"""

import contextlib
import errno
import selectors
import socket
import struct
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.http import errors
from gunicorn.workers.gthread import TConn, ThreadWorker

from runtime import refusals, rooms
from runtime.rooms import Kind, Room
from runtime.sockets import has_left

if TYPE_CHECKING:
    from collections.abc import Mapping

# From the first byte of a connection, or of its next request, to the end of its body.
_ARRIVAL_SECONDS = 30.0
_READ_BYTES = 65_536
# Without an end of the headers; how long they may be otherwise, gunicorn says.
_MOST_HEAD_BYTES = 65_536
# Of all requests that arrive or wait, together: beyond it, large bodies are refused.
_MOST_HELD_BYTES = 64 * 1_048_576
# What is left of a body that the product did not read is here by then, or nobody waits for it.
_DRAIN_SECONDS = 0.05
# Whoever is not served by then has long been told so by a proxy, or has gone.
_MOST_WAITING_SECONDS = 30.0
# How long an answer may take to arrive after the connection is closed from our side; as gunicorn has it.
_FAREWELL_SECONDS = 2.0
_SAID_EVERY_SECONDS = 60.0
# Looking whether those in line are still there takes some microseconds each.
_SWEEP_EVERY_SECONDS = 0.2
_PARSE_REFUSALS = {
    errors.LimitRequestLine: refusals.LONG_ADDRESS,
    errors.LimitRequestHeaders: refusals.LARGE_HEADERS,
    errors.InvalidRequestLine: refusals.UNREADABLE,
    errors.InvalidRequestMethod: refusals.UNREADABLE,
    errors.InvalidHTTPVersion: refusals.UNREADABLE,
    errors.InvalidHeader: refusals.UNREADABLE,
    errors.InvalidHeaderName: refusals.UNREADABLE,
}


class Visitor(TConn):
    """A connection with what has arrived of its next request, and whose it is."""

    parser: Any
    timeout: Any
    # With its body, as far as that is awaited; None while its headers arrive.
    size: int | None = None
    held = 0
    kind: Kind = "pages"
    who = rooms.NOBODY

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.head = bytearray()


class _Pools:
    """A pool of threads for each room."""

    def __init__(self) -> None:
        self._pools: Mapping[Kind, ThreadPoolExecutor] = {
            kind: ThreadPoolExecutor(size.threads, thread_name_prefix=kind)
            for kind, size in rooms.SIZES.items()
        }

    def submit(self, kind: Kind, work: Any, visitor: Visitor) -> "Future[Any]":
        return self._pools[kind].submit(work, visitor)

    def shutdown(self, *, wait: bool) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=wait)


class Worker(ThreadWorker):
    """
    Gives each kind of request a room of its own, and an end to waiting, on both sides.

    The thread that accepts connections reads requests and keeps the lines; it never waits for a client, so that a health
    check is seen within a moment whatever the others do. The other threads parse, ask the product and write.

    Gunicorn would wait for ever for a client that neither takes its answer nor sends the rest of its request; its own
    `timeout` is about a worker that hangs. The same seconds are given here to each single write, whatever its size. A
    request takes a thread only when its body is there: whoever holds bodies back would hold threads. What the answer holds, such as a place among the exports and a transaction, is given back
    while the answer is closed.
    """

    # None until the process has begun.
    poller: Any
    tpool: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rooms: dict[Kind, Room[Visitor]] = {kind: Room(size) for kind, size in rooms.SIZES.items()}
        self._leaving: deque[Visitor] = deque()
        self._held = 0
        self._lacks_files = False
        self._own = threading.local()
        self._said_at: dict[Kind, float] = {}
        self._swept_at: dict[Kind, float] = {}

    def get_thread_pool(self) -> _Pools:
        """Make the pools; gunicorn only shuts them down."""
        return _Pools()

    # --- The thread that accepts connections -------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        """Take a connection and read its request when it arrives."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK}:
                return
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            self._lacks_files = True
            return
        self.nr_conns += 1
        visitor = Visitor(self.cfg, sock, address, listener.getsockname())
        if self.cfg.is_ssl:
            self.enqueue_req(visitor)  # a head that is enciphered tells nothing
        else:
            self._listen(visitor)
            self._read(visitor, sock)

    def _listen(self, visitor: Visitor) -> None:
        visitor.sock.setblocking(False)
        visitor.timeout = time.monotonic() + min(_ARRIVAL_SECONDS, self.cfg.timeout or _ARRIVAL_SECONDS)
        self.pending_conns.append(visitor)
        self.poller.register(visitor.sock, selectors.EVENT_READ, partial(self._read, visitor))

    def _read(self, visitor: Visitor, sock: socket.socket) -> None:
        """Take what has arrived of a request; level-triggered polling would spin if it were only looked at."""
        try:
            data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._hold(visitor, data)
        if data and self._is_awaited(visitor):
            return
        self.poller.unregister(sock)
        self.pending_conns.remove(visitor)
        if data:
            self._admit(visitor)
        else:
            self._close(visitor)

    def _hold(self, visitor: Visitor, data: bytes) -> None:
        visitor.head += data
        visitor.held += len(data)
        self._held += len(data)

    def _release(self, visitor: Visitor) -> None:
        self._held -= visitor.held
        visitor.held = 0

    def _is_awaited(self, visitor: Visitor) -> bool:
        """Say whether more of a request is to come before anybody looks at it."""
        arrived = len(visitor.head)
        if visitor.size is None:
            visitor.size = rooms.size_of(visitor.head)
            if visitor.size and arrived < visitor.size and rooms.expects_to_be_told(visitor.head):
                with contextlib.suppress(OSError):
                    visitor.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if visitor.size is not None:
            is_too_much = self._held > _MOST_HELD_BYTES and arrived > _MOST_HEAD_BYTES
            return arrived < visitor.size and not is_too_much
        is_long = arrived > self.cfg.limit_request_line and b"\r\n" not in visitor.head
        return arrived < _MOST_HEAD_BYTES and not is_long

    def _admit(self, visitor: Visitor) -> None:
        """Let in what is whole; gunicorn would go on reading what is not, with a thread."""
        if visitor.size is None:
            refusal = refusals.LARGE_HEADERS if b"\r\n" in visitor.head else refusals.LONG_ADDRESS
            self._answer(visitor, refusals.answer(refusal, visitor.head))
        elif len(visitor.head) < visitor.size:
            self._refuse(visitor)
        else:
            self.enqueue_req(visitor)

    def on_client_socket_readable(self, conn: Visitor, client: socket.socket) -> None:
        """Read the next request of a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        if self.cfg.is_ssl:
            self.enqueue_req(conn)
        else:
            self._listen(conn)
            # Now: a process that stops ends, after the same look, those of whom nothing has come.
            self._read(conn, client)

    def enqueue_req(self, conn: Visitor) -> None:
        """Let a request into its room, into the line before it, or answer it here."""
        if rooms.is_liveness(conn.head):
            self._answer(conn, refusals.ALIVE)
            return
        asked = rooms.read_head(conn.head)
        conn.kind, conn.who = asked.kind, rooms.people.who(asked.key)
        room, now = self._rooms[conn.kind], time.monotonic()
        if room.enter(conn.who):
            self._work(conn)
        elif not room.wait(conn.who, conn, now):
            self._sweep(conn.kind)
            if not room.wait(conn.who, conn, now):
                self._refuse(conn)

    def _work(self, visitor: Visitor) -> None:
        self._release(visitor)
        work = self.tpool.submit(visitor.kind, self.handle, visitor)
        work.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, visitor, done))

    def finish_request(self, conn: Visitor, fs: "Future[Any]") -> None:
        """Let the next in line in, and keep the connection or let it go."""
        room = self._rooms[conn.kind]
        room.leave(conn.who)
        while visitor := room.call():
            if has_left(visitor.sock):
                room.leave(visitor.who)
                self._close(visitor)
            else:
                self._work(visitor)
        if self.cfg.is_ssl:
            super().finish_request(conn, fs)
        elif fs.cancelled() or fs.exception() or not fs.result():
            self._say_farewell(conn)
        else:
            self._keep(conn)

    def _keep(self, visitor: Visitor) -> None:
        """Await the next request: its beginning may have come already, with the body of the last one."""
        visitor.head, visitor.size = bytearray(), None
        visitor.sock.setblocking(False)
        self._hold(visitor, visitor.parser.unreader.take_buffered())
        if visitor.head:
            if self._is_awaited(visitor):
                self._listen(visitor)
            else:
                self._admit(visitor)
            return
        visitor.set_timeout()
        if not self.alive:
            visitor.timeout = min(visitor.timeout, time.monotonic() + _FAREWELL_SECONDS)
        self.keepalived_conns.append(visitor)
        self.poller.register(
            visitor.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, visitor)
        )

    def _sweep(self, kind: Kind) -> None:
        """Forget those in line who have left, and send away who has waited too long."""
        room, now = self._rooms[kind], time.monotonic()
        if now - self._swept_at.get(kind, 0.0) < _SWEEP_EVERY_SECONDS:
            return
        self._swept_at[kind] = now
        for visitor in room.drop(lambda each, _: has_left(each.sock)):
            self._close(visitor)
        for visitor in room.drop(lambda _, since: now - since > _MOST_WAITING_SECONDS):
            self._refuse(visitor)

    def _refuse(self, visitor: Visitor) -> None:
        now = time.monotonic()
        if now - self._said_at.get(visitor.kind, -_SAID_EVERY_SECONDS) >= _SAID_EVERY_SECONDS:
            self._said_at[visitor.kind] = now
            self.log.warning("Too many requests at once (%s): some are answered with 503.", visitor.kind)
        self._answer(visitor, refusals.answer(refusals.BUSY, visitor.head))

    def _answer(self, visitor: Visitor, answer: bytes) -> None:
        """Answer without a thread: what is this short a new connection takes at once."""
        visitor.sock.setblocking(False)
        with contextlib.suppress(OSError):
            visitor.sock.send(answer)
        self._say_farewell(visitor)

    def _say_farewell(self, visitor: Visitor) -> None:
        """Close so that the answer arrives (RFC 9112, 9.6); gunicorn would wait for the client, and everybody with it."""
        try:
            visitor.sock.shutdown(socket.SHUT_WR)
            visitor.sock.setblocking(False)
            self.poller.register(visitor.sock, selectors.EVENT_READ, partial(self._drain, visitor))
        except (OSError, ValueError):
            self._close(visitor)
            return
        visitor.timeout = time.monotonic() + _FAREWELL_SECONDS
        self._leaving.append(visitor)

    def _drain(self, visitor: Visitor, sock: socket.socket) -> None:
        try:
            data = sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._leaving.remove(visitor)
            self._end(visitor)

    def _end(self, visitor: Visitor) -> None:
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(visitor.sock)
        self._close(visitor)

    def _close(self, visitor: Visitor) -> None:
        self.nr_conns -= 1
        self._release(visitor)
        visitor.close()

    def murder_pending(self) -> None:
        """End what has had its time: requests that do not arrive, farewells, waiting. Gunicorn calls it each second."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._give_up(self.pending_conns.popleft())
        while self._leaving and self._leaving[0].timeout <= now:
            self._end(self._leaving.popleft())
        for kind in self._rooms:
            self._sweep(kind)
        # Whoever opens connections and sends nothing must neither keep a health check from being accepted nor us from stopping.
        for idle in (self.pending_conns, self.keepalived_conns):
            while idle and (self._lacks_files or self.nr_conns >= self.worker_connections):
                self._end(idle.popleft())
                self._lacks_files = False
        if not self.alive:
            for visitor in [each for each in self.pending_conns if not each.head]:
                self.pending_conns.remove(visitor)
                self._end(visitor)

    def _give_up(self, visitor: Visitor) -> None:
        """End a request that does not arrive; whoever has said what they want is told."""
        if visitor.size is None:
            self._end(visitor)
        else:
            self.poller.unregister(visitor.sock)
            self._answer(visitor, refusals.answer(refusals.LATE, visitor.head))

    # --- The threads of the rooms ------------------------------------------------------------------

    def handle(self, conn: Visitor) -> Any:
        """Parse a request and answer it."""
        self._own.head = conn.head
        if not self.cfg.is_ssl:
            # Gunicorn makes the socket a blocking one, should it read; this is the kernel's own limit.
            limit = struct.pack("ll", int(self.cfg.timeout), 0)
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            conn.init()
            conn.parser.unreader.unread(conn.head)
            conn.head, conn.data_ready = bytearray(), True
        return super().handle(conn)

    def _keepalive_after(self, conn: Visitor, keepalive: bool) -> bool:
        """Say whether the connection can be used again: gunicorn would wait five seconds for a body that nobody reads."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        return keepalive and bool(conn.parser.finish_body(deadline=deadline))

    def handle_request(self, req: Any, conn: Visitor) -> bool:
        """Answer one request; False where the connection is not to be used again."""
        conn.sock.settimeout(self.cfg.timeout or None)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.warning("Gave a client up that took nothing for %s seconds.", self.cfg.timeout)
            return False

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what cannot be parsed: with a problem document where a program asks."""
        refusal = _PARSE_REFUSALS.get(type(exc))
        if refusal is None:
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Refused a request that cannot be read: %s", type(exc).__name__)
        with contextlib.suppress(OSError):
            client.sendall(refusals.answer(refusal, self._own.head))
