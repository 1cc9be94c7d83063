"""A crowd of connections and what is measured of it: idle, the morning wave, jitter, fairness, a year for all.

Import only on a prepared ground (devtools/bench/ground.py).
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from django.db import connection as database

from devtools.bench import population, steps, wake_ups
from devtools.bench.figures import Figure, median, percentile, timed
from devtools.bench.ground import NO_LIMIT, Ground, pss_bytes, until
from foundation.periods import trailing
from integrations import connections as keys
from integrations.anthropic.endpoints import COST_REPORT
from integrations.anthropic.reports.classic_cost import cost_report_request
from integrations.models import Connection
from workers import schedule, tasks
from workers.clock import database_now
from workers.models import SyncRun

_REQUESTS_A_DAILY = 2  # one window of the cost report, one page of names
_GREEDY = (0, 1, 32)


class Crowd:
    """So many connections on one ground; each measurement leaves them idle and without work."""

    def __init__(self, ground: Ground, *, workers: int, quick: bool, most_due: int) -> None:
        self._ground, self._workers, self._quick, self._most_due = ground, workers, quick, most_due
        self._connections: list[Connection] = []
        self._step_rate = 0.0
        self._cost_ms: dict[int, float] = {}

    def limits(self) -> list[Figure]:
        """Measure what a message, a request and a step cost at least, on the same machine at the same time."""
        count = 2000 if self._quick else 5000
        found = population.organisations(self._ground.simulator, 120)
        self._connections = population.connect(found, spare_tokens=10)
        http = self._bare_requests(200 if self._quick else 1000)
        celery = wake_ups.celery_noop(self._ground, count)
        population.queue_windows(self._connections, windows=10 if self._quick else 40)
        pace = steps.measure(self._ground, self._workers, 5 if self._quick else 20, **NO_LIMIT)
        self._step_rate = pace.per_second
        return [
            Figure("bare BRPOP, one client", wake_ups.bare_brpop(count), "/s"),
            Figure("Celery no-op tasks", celery, "/s"),
            Figure("bare requests to the simulator, one client", http, "/s"),
            Figure("whole steps, no rate limit, nothing else to do", pace.per_second, "/s",
                   note=f"{self._workers} worker process(es), {pace.rows_a_step:.0f} rows a step"),
        ]  # fmt: skip

    def _bare_requests(self, times: int) -> float:
        client = keys.open_client(self._connections[0])
        request = cost_report_request(trailing(database_now().date(), population.STEP_DAYS))
        assert request.path == COST_REPORT  # noqa: S101 - the request that a step sends
        return times / timed(lambda: [client.fetch(request) for _ in range(times)])

    def gather(self, size: int) -> None:
        """Replace the crowd by one of another size."""
        population.forget_all()
        self._connections = population.connect(
            population.organisations(self._ground.simulator, size), spare_tokens=4
        )

    def measures(self) -> dict[str, tuple[str, Callable[[], list[Figure]]]]:
        """Name what is measured at each size, in order."""
        return {
            "idle": ("nothing due", self.idle),
            "wave": ("06:00 without jitter", self.wave),
            "jitter": ("06:00 with the default jitter, its first minutes", self.jitter),
            "fairness": ("one daily sync beside backfills without limit", self.fairness),
            "year": ("a year of backfill for everybody", self.year),
        }

    @property
    def size(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def idle(self) -> list[Figure]:
        """Watch the engine look for work that is not there."""
        population.forget_work()
        population.wait_until_tomorrow()
        with self._ground.engine(self._workers) as pids:
            time.sleep(3)
            pace = steps.watch(self._ground, pids, 10 if self._quick else 30)
        share = {
            name: seconds / pace.seconds * 100 for name, seconds in pace.cpu.items() if name != "simulator"
        }
        ticks = [timed(tasks.tick) for _ in range(100)]
        return [
            Figure("a tick", median(ticks) * 1000, "ms"),
            Figure("processor share of the ticks themselves", median(ticks) * 100, "% of a core", 2.0, at_least=False),
            Figure("processor share of everything that runs", sum(share.values()), "% of a core",
                   note=", ".join(f"{name} {value:.1f}" for name, value in share.items())),
            Figure("memory of a worker (PSS)", pace.pss["worker-1"] / 1e6, "MB", 80.0, at_least=False),
        ]  # fmt: skip

    def wave(self) -> list[Figure]:
        """Make every daily sync due at one moment; small crowds several times, so that there is enough to count."""
        chosen = self._connections[: self._most_due]
        times = max(1, (200 if self._quick else 1000) // self.size)
        walls, latencies, cost = [], [], 0.0
        with self._ground.engine(self._workers) as pids:
            # Threads that never worked open connections and build plans: not what one more connection costs.
            self._one_wave(self._connections[:100])
            begin = pss_bytes(pids["worker-1"])
            for _ in range(times):
                before = self._ground.cpu_seconds(pids)
                wall, late = self._one_wave(chosen)
                after = self._ground.cpu_seconds(pids)
                walls.append(wall)
                latencies += late
                cost += sum(after[name] - before[name] for name in after if name != "simulator")
            end = pss_bytes(pids["worker-1"])
        self._cost_ms[self.size] = cost * 1000 / (len(chosen) * times)
        predicted = len(chosen) * _REQUESTS_A_DAILY / self._step_rate
        return [
            Figure("until the last is done", median(walls), "s", note=f"{len(chosen):,} due at once, median of {times} wave(s)"),
            Figure("against what the rate of steps predicts", median(walls) / predicted, "×", 1.5, at_least=False,
                   note=f"{predicted:.1f} s predicted"),
            Figure("steps", len(chosen) * _REQUESTS_A_DAILY / median(walls), "/s"),
            *_latency_figures(latencies),
            Figure("processor time a connection", self._cost_ms[self.size], "ms", note="without the simulator"),
            Figure("memory of a worker, begin", begin / 1e6, "MB"),
            Figure("memory of a worker, end", end / 1e6, "MB"),
        ]  # fmt: skip

    def _one_wave(self, connections: Sequence[Connection]) -> tuple[float, list[float]]:
        """Let these be due at once and wait for the last; give the seconds it took and how late each began."""
        population.forget_work()
        population.refill(4)
        begun = time.monotonic()
        due = population.make_daily_due(connections, lambda _: dt.timedelta(0))
        until(lambda: _finished() >= len(connections), "every daily sync is done", seconds=3600, every=0.1)
        return time.monotonic() - begun, _latencies(due)

    def jitter(self) -> list[Figure]:
        """Spread the daily syncs over half an hour as the default does, and watch its first minutes."""
        population.forget_work()
        population.refill(4)
        seconds = 20 if self._quick else 80
        with self._ground.engine(self._workers) as pids:
            due = population.make_daily_due(self._connections, lambda each: schedule._jitter(each.pk))  # noqa: SLF001 - the very spread
            pace = steps.watch(self._ground, pids, seconds)
        latencies = _latencies(due)
        engine = sum(each for name, each in pace.cpu.items() if name != "simulator")
        return [
            Figure("daily syncs started", len(latencies), "", note=f"in {seconds} s"),
            *_latency_figures(latencies),
            Figure("processor share of everything that runs", engine / pace.seconds * 100, "% of a core"),
        ]

    def fairness(self) -> list[Figure]:
        """Let a few daily syncs fall due while other organisations fetch a year as fast as they can."""
        figures = []
        others = self._connections[: max(_GREEDY)]
        fair = self._connections[-min(20, self.size // 3) :]
        for greedy in _GREEDY:
            population.forget_work()
            population.refill(4)
            population.make_daily_due(self._connections, lambda _: dt.timedelta(days=1))
            due: dict[UUID, dt.datetime] = {}
            with self._ground.engine(self._workers, **NO_LIMIT):
                chosen = [each for each in others if each not in fair][:greedy]
                population.queue_windows(chosen, windows=52)
                for each in fair:
                    due |= population.make_due(each)
                    time.sleep(0.3 if self._quick else 0.7)
                until(lambda due=due: len(_latencies(due)) == len(due), "the daily syncs start", seconds=120)
                latencies = _latencies(due)
            figures += [
                Figure(f"beside {greedy} of them: due to started, median", median(latencies), "s"),
                Figure(f"beside {greedy} of them: due to started, slowest", max(latencies), "s"),
            ]
        return figures

    def year(self) -> list[Figure]:
        """Let everybody fetch a year at the default rate; for few, minutes pass ten times as fast."""
        faster = 10 if self.size <= 100 else 1
        population.forget_work()
        # The last token is left to connection tests, so with one to two each lane is served within a minute.
        population.refill(1, interval_us=60_000_000 // faster)
        self._ground.simulator.control("POST", "requests/clear")
        population.queue_year(self._connections)
        seconds = 20 if self._quick else 80
        limit = {"ANTHROPIC_REQUESTS_PER_MINUTE": str(faster), "ANTHROPIC_BURST": "10"}
        with self._ground.engine(self._workers, **limit) as pids:
            begun, claims = time.monotonic(), _claims()
            paces = [steps.watch(self._ground, pids, seconds / 4) for _ in range(4)]
            elapsed, claims = time.monotonic() - begun, _claims() - claims
        rate = self._ground.simulator.rate(faster, 10)
        done = sum(pace.steps for pace in paces)
        wanted = self.size * faster / 60
        first, last = (pace.pss["worker-1"] / 1e6 for pace in (paces[0], paces[-1]))
        return [
            Figure("requests that the limits permit", wanted, "/s", note=f"{faster} a minute and organisation"),
            Figure("requests made", done / elapsed, "/s", note=f"{elapsed:.0f} s"),
            Figure("turns (Celery tasks that claimed a lane)", claims / elapsed, "/s"),
            Figure("worst excess over the rate, of all organisations", rate["excess"], "requests", 0.0, at_least=False,
                   note=f"{rate['organisations']} organisations, burst 10"),
            Figure("memory of a worker, first quarter", first, "MB"),
            Figure("memory of a worker, last quarter", last, "MB", 80.0, at_least=False),
        ]  # fmt: skip

    def growth(self) -> list[Figure]:
        """Compare the cost of a connection between the sizes."""
        sizes = sorted(self._cost_ms)
        figures = [
            Figure(f"processor time a daily sync, {size:,}", self._cost_ms[size], "ms") for size in sizes
        ]
        if len(sizes) > 1:
            factor = self._cost_ms[sizes[-1]] / self._cost_ms[sizes[0]]
            figures.append(Figure("largest against smallest", factor, "×", 1.15, at_least=False))
        return figures


def _finished() -> int:
    return SyncRun.objects.exclude(status__in=SyncRun.ACTIVE).count()


def _claims() -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(fence), 0) FROM workers_lane")
        return int(cursor.fetchone()[0])


def _latencies(due: Mapping[UUID, dt.datetime]) -> list[float]:
    """Give the seconds from due to the first request's grant, of those that have started."""
    started = SyncRun.objects.filter(trigger="daily", started_at__isnull=False)
    return [
        (begun - due[connection]).total_seconds()
        for connection, begun in started.values_list("connection_id", "started_at")
        if connection in due
    ]


def _latency_figures(latencies: Sequence[float]) -> list[Figure]:
    return [
        Figure("due to started, median", median(latencies), "s"),
        Figure("due to started, 95 of 100", percentile(latencies, 0.95), "s"),
    ]
