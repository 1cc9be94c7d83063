"""Whole steps through real workers: claim, bucket, request, archive, facts, commit; per second and per core.

Import only on a prepared ground (devtools/bench/ground.py).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection as database

from devtools.bench.ground import Ground, pss_bytes, until


@dataclass(frozen=True, slots=True)
class Pace:
    """What was done in an interval and what it cost."""

    steps: int
    rows: int
    seconds: float
    cpu: Mapping[str, float]
    pss: Mapping[str, int]

    @property
    def per_second(self) -> float:
        """Steps per second."""
        return self.steps / self.seconds

    @property
    def rows_a_step(self) -> float:
        """Fact rows a step wrote on average."""
        return self.rows / self.steps if self.steps else 0.0

    def cpu_ms_a_step(self, *names: str) -> float:
        """Processor milliseconds a step, of processes whose name begins so; of all but the simulator by default."""
        chosen = sum(
            seconds
            for name, seconds in self.cpu.items()
            if (name.startswith(names) if names else name != "simulator")
        )
        return chosen * 1000 / self.steps if self.steps else 0.0


def measure(ground: Ground, workers: int, seconds: float, **environment: str) -> Pace:
    """Start beat and workers, let them warm up, count for so long, stop them."""
    with ground.engine(workers, **environment) as pids:
        first = _count()[0]
        until(lambda: _count()[0] >= first + 60 * workers, "the workers do steps", seconds=60)
        return watch(ground, pids, seconds)


def watch(ground: Ground, pids: Mapping[str, int], seconds: float) -> Pace:
    """Count what the running engine does in an interval."""
    (pages, rows), cpu, begun = _count(), ground.cpu_seconds(pids), time.monotonic()
    time.sleep(seconds)
    (later_pages, later_rows), later_cpu = _count(), ground.cpu_seconds(pids)
    return Pace(
        later_pages - pages,
        later_rows - rows,
        time.monotonic() - begun,
        {name: later_cpu[name] - cpu[name] for name in later_cpu},
        {name: pss_bytes(pid) for name, pid in pids.items()},
    )


def _count() -> tuple[int, int]:
    """Count archived pages and added rows; from the runs, which are few, so that counting costs nothing."""
    with database.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(requests), 0), coalesce(sum(rows_added), 0) FROM workers_syncrun")
        row: tuple[int, int] = cursor.fetchone()
    return int(row[0]), int(row[1])
