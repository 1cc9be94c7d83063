"""What the two embedded servers have in common: start, readiness, stop, kill, restart."""

import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from runtime import processes
from runtime.processes import Owner, Process, Program


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be prepared or started; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server lives: its base folder, its socket folder, its log, and the user it runs as."""

    base: Path
    sockets: Path
    log: Path
    owner: Owner | None


class EmbeddedServer:
    """One server process on a private unix socket, ended with this process whatever way that ends."""

    name = "server"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL
    start_seconds = 120.0  # recovery after a crash reads the log; a healthy start takes 0.05 s

    def __init__(self, place: Place, *, durable: bool) -> None:
        """Describe the server; `durable` decides whether it waits for the disk."""
        self.place = place
        self.durable = durable
        self._process: Process | None = None
        # A watcher and a caller may both see the server dead; only one of them may start it.
        self._guard = threading.RLock()

    @property
    def url(self) -> str:
        """The address for settings; known before the start."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        """The process id while the server runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def is_alive(self) -> bool:
        """Say whether the process runs; a killed one is reaped here, so a zombie never counts."""
        return self.pid is not None

    def start(self) -> None:
        """
        Start and wait until the server answers; nothing happens when it runs already.

        Raises:  EmbeddedServerError with the end of the server's log.
        """
        with self._guard:
            if not self.is_alive():
                self._prepare()
                self._start()

    def stop(self, *, grace_seconds: float = 15) -> None:
        """End the server cleanly, by force after the grace period."""
        with self._guard:
            if self._process:
                processes.stop(self._process, self.stop_signal, grace_seconds=grace_seconds)
                self._process = None

    def kill(self) -> None:
        """End the server with kill -9, as the tests and the fault lab do."""
        with self._guard:
            if self._process:
                processes.kill(self._process)

    def restart(self) -> None:
        """Bring the server back: whether it runs, was killed or died by itself."""
        with self._guard:
            self.stop()
            self.start()

    def _prepare(self) -> None:
        raise NotImplementedError

    def _program(self) -> Program:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _may_try_again(self, complaint: str) -> bool:
        del complaint
        return False

    def _start(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        log_start = self.place.log.stat().st_size if self.place.log.exists() else 0
        self._process = processes.start(self._program())
        while not self._is_ready():
            if self._process.poll() is not None:
                complaint = processes.tail(self.place.log, after=log_start)
                if not self._may_try_again(complaint) or time.monotonic() > deadline:
                    raise EmbeddedServerError(f"The embedded {self.name} did not start:\n{complaint}")
                time.sleep(0.1)
                self._process = processes.start(self._program())
            elif time.monotonic() > deadline:
                processes.kill(self._process)
                raise EmbeddedServerError(
                    f"The embedded {self.name} did not answer within {self.start_seconds:.0f} seconds; "
                    f"its log: {self.place.log}"
                )
            time.sleep(0.005)
