"""Keeps a set of processes running: starts them, starts again what died, ends them in order.

Knows nothing of what they do; `stack` lists the processes of the product.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from runtime import processes
from runtime.embedded import EmbeddedServer, EmbeddedServerError
from runtime.processes import Process, Program

_LOOK_SECONDS = 0.2
_CARE_LOOKS = 50  # memory and logs are looked at every 10 s
_SWOLLEN_LOOKS = 12  # so often in a row: what swells for a minute is at work, and ending it would lose that
_FIRST_BACKOFF_SECONDS = 0.5
_LAST_BACKOFF_SECONDS = 30.0
_STEADY_SECONDS = 60.0  # whoever lived this long starts again without having to wait
_LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """
    One process to keep running.

    `stop_seconds` is the time it gets to end by itself after `stop_signal`; `recycle_above_bytes` starts it
    anew, cleanly, when it holds more memory for two minutes (Linux; a worker with threads cannot recycle itself).
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    recycle_above_bytes: int | None = None


@dataclass(slots=True)
class _Kept:
    """A spec with its present process and what is known of its deaths."""

    spec: ProcessSpec
    process: Process | None = None
    started_at: float = 0.0
    start_again_at: float | None = None
    backoff_seconds: float = _FIRST_BACKOFF_SECONDS
    looks_swollen: int = 0
    guard: threading.RLock = field(default_factory=threading.RLock)


def announce_on_stderr(line: str) -> None:
    """Print a line for the person at the terminal; a terminal that is gone stops nothing."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


class Supervisor:
    """
    Starts processes in the reverse order of `specs` and ends them in that order: the first listed depends on
    the rest. `servers` are embedded servers to start again when they die; ending them is their owner's.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        log_dir: Path,
        *,
        servers: Sequence[EmbeddedServer] = (),
        announce: Callable[[str], None] = announce_on_stderr,
    ) -> None:
        """Take the list; nothing is started yet."""
        self._kept = {spec.name: _Kept(spec) for spec in specs}
        self._log_dir = log_dir
        self._servers = servers
        self._announce = announce
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every process and begin to watch; call it once."""
        self._log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for kept in reversed(self._kept.values()):
            _rotate(self.log(kept.spec.name))
            self._start(kept)
        self._watcher.start()

    def wait(self) -> None:
        """Block until `stop` is called, or until a signal handler raises in this thread."""
        while not self._stopping.wait(1):
            continue

    def stop(self) -> None:
        """End everything in the listed order, each with its own time; repeating it does nothing."""
        self._stopping.set()
        if self._watcher.is_alive() and self._watcher is not threading.current_thread():
            self._watcher.join()
        try:
            for kept in self._kept.values():
                with kept.guard:
                    self._end(kept)
        except KeyboardInterrupt:  # again: a person in a hurry
            for kept in self._kept.values():
                if kept.process:
                    processes.kill(kept.process)
            raise

    def restart(self, name: str) -> None:
        """End one process with its own time and start it again at once, also when it is dead."""
        kept = self._kept[name]
        with kept.guard:
            self._end(kept)
            self._start(kept)

    def pid(self, name: str) -> int | None:
        """Give the process id, None while it is dead."""
        process = self._kept[name].process
        return process.pid if process and process.poll() is None else None

    def log(self, name: str) -> Path:
        """Give the path of a process's log."""
        return self._log_dir / f"{name}.log"

    def _start(self, kept: _Kept) -> None:
        spec = kept.spec
        kept.start_again_at = None
        kept.started_at = time.monotonic()
        kept.looks_swollen = 0
        kept.process = processes.start(
            Program(spec.argv, log=self.log(spec.name), folder=spec.folder, environment=spec.environment)
        )

    def _end(self, kept: _Kept) -> None:
        if kept.process:
            if not processes.stop(kept.process, kept.spec.stop_signal, grace_seconds=kept.spec.stop_seconds):
                self._announce(
                    f"{kept.spec.name} did not end within {kept.spec.stop_seconds:g} s and was killed."
                )
            kept.process = None

    def _watch(self) -> None:
        looks = 0
        while not self._stopping.wait(_LOOK_SECONDS):
            looks += 1
            for server in self._servers:
                self._look_at_server(server)
            for kept in self._kept.values():
                with kept.guard:
                    self._look_at(kept)
                    if looks % _CARE_LOOKS == 0:
                        self._look_at_memory(kept)
                        _rotate(self.log(kept.spec.name))

    def _look_at_server(self, server: EmbeddedServer) -> None:
        if server.is_alive():
            return
        try:
            server.start()
        except EmbeddedServerError as error:
            self._announce(f"{error}\nTrying again in {_LAST_BACKOFF_SECONDS:g} s.")
            self._stopping.wait(_LAST_BACKOFF_SECONDS)
        else:
            self._announce(f"{server.name} had ended and was started again.")

    def _look_at(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.start_again_at is not None and now >= kept.start_again_at:
            self._start(kept)
        elif kept.process and kept.start_again_at is None and (status := kept.process.poll()) is not None:
            if now - kept.started_at > _STEADY_SECONDS:
                kept.backoff_seconds = _FIRST_BACKOFF_SECONDS
            processes.kill(kept.process)  # what it left of its group
            kept.start_again_at = now + kept.backoff_seconds
            self._announce(
                f"{kept.spec.name} {_ending(status)}; starting it again in {kept.backoff_seconds:g} s "
                f"(log: {self.log(kept.spec.name)})"
            )
            kept.backoff_seconds = min(kept.backoff_seconds * 2, _LAST_BACKOFF_SECONDS)

    def _look_at_memory(self, kept: _Kept) -> None:
        limit, process = kept.spec.recycle_above_bytes, kept.process
        if not limit or not process or process.poll() is not None:
            return
        is_swollen = processes.resident_bytes(process.pid) > limit
        kept.looks_swollen = kept.looks_swollen + 1 if is_swollen else 0
        if kept.looks_swollen >= _SWOLLEN_LOOKS:
            self._announce(f"{kept.spec.name} holds more than {limit // 1_000_000} MB; starting it anew.")
            self._end(kept)
            self._start(kept)


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _rotate(log: Path) -> None:
    """Keep one earlier log. The file is emptied in place: its process holds it open, for appending."""
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
