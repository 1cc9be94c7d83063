"""A TCP or unix-socket proxy that can be slow, silent, cut or gone; it understands no protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Address = Path | tuple[str, int]
_CHUNK = 64 * 1024
# Closing with this set sends a reset instead of an orderly end.
_RESET = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Pair:
    """One client's connection and ours to the server; `open` is cleared to keep everything back."""

    writers: list[asyncio.StreamWriter]
    open: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """
    Forwards `listen` to `target` in a thread of its own; every method may be called from any thread.

    `latency_seconds` delays each piece of data; `hold` keeps everything back until `heal`, as a network that
    drops packets does; `strand` does so for ever, but only to the connections there are now (half-open).
    """

    def __init__(self, target: Address, listen: Path | None = None) -> None:
        self.latency_seconds = 0.0
        self._target, self._listen = target, listen
        self._port = 0
        self._pairs: set[_Pair] = set()
        self._stranded: set[_Pair] = set()
        self._serving: set[asyncio.Task[None] | None] = set()
        self._held = False
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._run(self._open_door())

    @property
    def port(self) -> int:
        """The loopback port, the same for the proxy's whole life."""
        return self._port

    def hold(self) -> None:
        """Let nothing through in either direction; connections stay and new ones are accepted in silence."""
        self._call(lambda: self._set_held(held=True))

    def heal(self) -> None:
        """Let everything through again, with what was kept back, and listen again after `refuse`."""
        self.latency_seconds = 0.0
        self._call(lambda: self._set_held(held=False))
        self._run(self._open_door())

    def strand(self) -> None:
        """Forget the present connections without closing them: their peers wait for what never comes."""
        self._call(self._forget)

    def cut(self) -> None:
        """Reset every present connection; new ones are welcome."""
        self._call(self._reset)

    def refuse(self) -> None:
        """Reset every connection and refuse new ones until `heal`."""
        self._run(self._close_door())
        self.cut()

    def stop(self) -> None:
        """End the thread and close everything."""
        self.refuse()
        self._run(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _set_held(self, *, held: bool) -> None:
        self._held = held
        for pair in self._pairs:
            pair.open.clear() if held else pair.open.set()

    def _forget(self) -> None:
        for pair in self._pairs:
            pair.open.clear()
        # No longer found by heal and cut; kept all the same, or collecting them would close their sockets.
        self._stranded |= self._pairs
        self._pairs = set()

    def _reset(self) -> None:
        for pair in self._pairs:
            for writer in pair.writers:
                sock = writer.get_extra_info("socket")
                if sock.family != socket.AF_UNIX:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()

    async def _open_door(self) -> None:
        if self._server is not None:
            return
        if self._listen is not None:
            self._server = await asyncio.start_unix_server(self._serve, self._listen)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def _close_door(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair([writer])
        if not self._held:
            pair.open.set()
        self._pairs.add(pair)
        # The loop itself holds tasks weakly.
        self._serving.add(task := asyncio.current_task())
        try:
            await pair.open.wait()
            far_reader, far_writer = await self._reach()
            pair.writers.append(far_writer)
            there = asyncio.ensure_future(self._pump(pair, reader, far_writer))
            back = asyncio.ensure_future(self._pump(pair, far_reader, writer))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            pass  # the server is not there: the client's connection ends
        finally:
            self._pairs.discard(pair)
            self._serving.discard(task)
            for each in pair.writers:
                each.close()  # not abort: what the server sent last must still arrive

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _pump(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.latency_seconds:
                    await asyncio.sleep(self.latency_seconds)
                await pair.open.wait()
                writer.write(data)
                await writer.drain()

    def _call(self, act: Callable[[], None]) -> None:
        async def once() -> None:
            act()

        self._run(once())

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)
