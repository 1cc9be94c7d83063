"""The throw-away ground a measurement stands on: servers, simulator, settings and the product's processes.

Holds no measurement. Nothing of Django may be imported before `started` has put the addresses into the
environment, so this module imports none of it at the top.
"""

import contextlib
import os
import platform
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
import redis
from django.core.management import call_command
from django.db import connection as database

from devtools.simulator.process import Simulator
from runtime import processes, stack
from runtime.bootstrap import VirtualEnvironment
from runtime.postgres import Postgres
from runtime.processes import Process, Program
from runtime.services import Services, attach_or_start
from runtime.supervisor import ProcessSpec
from runtime.valkey import Valkey, find_binary

# Never waited for: what is measured is our work, not the rate limit.
NO_LIMIT = {"ANTHROPIC_REQUESTS_PER_MINUTE": "60000", "ANTHROPIC_BURST": "10000"}
_CONFIGURED = ("DATABASE_URL", "REDIS_URL", "ANTHROPIC_BASE_URL", "TALLYSTICK_HOME")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Ground:
    """The running servers, the simulator, and whatever of the product was started on them."""

    services: Services
    simulator: Simulator
    _running: dict[str, Process] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Where the product's processes write; removed with the ground."""
        return self.server(Postgres).place.base

    def server(self, kind: type[Any]) -> Any:
        """Give the embedded server of a kind."""
        found = self.services.find(kind)
        if found is None:
            raise RuntimeError(f"no embedded {kind.__name__}: a setting of the environment came between")
        return found

    def start(self, spec: ProcessSpec, **environment: str) -> int:
        """Start one process of the product with settings of its own; return its pid."""
        log = self.logs / f"{spec.name}.log"
        values = {**os.environ, **environment}
        process = processes.start(Program(spec.argv, log=log, folder=spec.folder, environment=values))
        self._running[spec.name] = process
        return process.pid

    def stop(self, *names: str) -> None:
        """End processes the way the supervisor does; all of them when none is named."""
        for name in names or tuple(self._running):
            processes.stop(self._running.pop(name), signal.SIGTERM, grace_seconds=30)

    @contextlib.contextmanager
    def engine(self, workers: int = 1, **environment: str) -> Iterator[dict[str, int]]:
        """Run beat and workers for a block; gives their pids by name, once workers listen and beat rings."""
        specs = [stack.worker(number + 1) for number in range(workers)]
        pids = {spec.name: self.start(spec, **environment) for spec in specs}
        for spec in specs:
            log = self.logs / f"{spec.name}.log"
            until(
                lambda log=log: "ready." in processes.tail(log, lines=400),
                f"{spec.name} is ready",
                seconds=60,
            )
        beat, rung = stack.beat(self.logs), self._published()
        pids["beat"] = self.start(beat, **environment)
        until(lambda: self._published() > rung, "beat rings", seconds=60)
        try:
            yield pids
        finally:
            self.stop("beat")
            self.stop(*(spec.name for spec in specs))
            for spec in [*specs, beat]:
                (self.logs / f"{spec.name}.log").unlink()

    def _published(self) -> int:
        """Count what was ever put into a queue; while nothing is due, only beat does."""
        with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
            told: dict[str, Any] = client.info("commandstats")
        return int(told.get("cmdstat_lpush", {}).get("calls", 0))

    def cpu_seconds(self, pids: Mapping[str, int]) -> dict[str, float]:
        """Give the processor time used so far, by process name, with the two servers."""
        return {
            **{name: _own_seconds(pid) for name, pid in pids.items()},
            "postgres": _tree_seconds(self.server(Postgres).pid),
            "redis": _own_seconds(self.server(Valkey).pid),
            "simulator": _own_seconds(self.simulator.pid),
        }


@contextlib.contextmanager
def started(*, organisations: int, settings: Mapping[str, str]) -> Iterator[Ground]:
    """
    Give a block fresh durable servers with the schema applied, a simulator, and Django set up on them.

    What the environment or a file configures is put aside: a benchmark must never meet real data.
    """
    for name in _CONFIGURED:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # As `up` does: a process that has to compile every module holds 10 MB more from then on.
    VirtualEnvironment(stack.PROJECT).keep_bytecode()
    with (
        attach_or_start(stack.PROJECT, durable=True, name="test") as services,
        Simulator.start(seed=1, organisations=organisations) as simulator,
    ):
        os.environ.update(services.environment())
        os.environ.update({"ANTHROPIC_BASE_URL": simulator.base_url, "LOG_LEVEL": "INFO", **settings})
        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        ground = Ground(services, simulator)
        try:
            yield ground
        finally:
            ground.stop()


def until(holds: Callable[[], bool], what: str, *, seconds: float, every: float = 0.05) -> float:
    """Poll until it holds and return how long that took; TimeoutError at the deadline."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
    return time.monotonic() - begun


def pss_bytes(pid: int) -> int:
    """Give the memory of a process, shared pages counted in part (Linux)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def machine() -> dict[str, str]:
    """Say on what the figures were measured, so that they can be compared with others; call on the ground."""
    with database.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        postgres = str(cursor.fetchone()[0])
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        told: dict[str, Any] = client.info("server")
    return {
        "system": platform.system(),
        "cores": str(os.cpu_count()),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "postgres": postgres,
        find_binary().flavour.partition("-")[0]: str(told["redis_version"]),
    }


def _fields(pid: int) -> list[str]:
    # The name stands in brackets and may hold anything; what follows the last bracket is regular.
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _own_seconds(pid: int) -> float:
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _tree_seconds(pid: int) -> float:
    """Count a server with its backends: the living, and the ended ones, which the kernel adds to the parent."""
    fields = _fields(pid)
    total = sum(int(value) for value in fields[11:15]) / _TICKS_A_SECOND
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if int(_fields(int(folder.name))[1]) == pid:
                total += _own_seconds(int(folder.name))
    return total
