"""Measures the engine as ratios against limits of the same run: python -m devtools.bench.ratios [--quick] [--json].

Everything runs on embedded servers of its own that are thrown away afterwards.
"""

import argparse
import time
from collections.abc import Sequence

from devtools.bench import ground
from devtools.bench.figures import Figure, median, print_table, to_json

_ORGANISATIONS = 3000
_LANES = 240


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m devtools.bench.ratios", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute: few rounds, figures are rough")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--only", choices=["writes", "steps", "limiter", "messages", "tick"], action="append")
    arguments = parser.parse_args()
    with ground.started(organisations=_ORGANISATIONS, settings=ground.NO_LIMIT) as place:
        sections = _measure(place, quick=arguments.quick, only=arguments.only)
        about = ground.machine()
    if arguments.json:
        print(to_json(about, sections))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    for title, figures in sections.items():
        print_table(title, figures)


def _measure(place: ground.Ground, *, quick: bool, only: Sequence[str] | None) -> dict[str, Sequence[Figure]]:
    # Models exist only now that the servers' addresses are settings.
    from devtools.bench import population, wake_ups, writes  # noqa: PLC0415

    def wanted(name: str) -> bool:
        return not only or name in only

    sections: dict[str, Sequence[Figure]] = {}
    found = population.organisations(place.simulator, _LANES)
    connections = population.connect(found, spare_tokens=10)
    if wanted("writes"):
        sections["A page of 1,000 rows"] = writes.page_writes(connections[0], rounds=10 if quick else 40)
        population.forget_work()
    if wanted("limiter"):
        sections["The token bucket"] = wake_ups.limiter(place, 2 if quick else 5, 500 if quick else 2000)
    if wanted("messages"):
        sections["Messages"] = wake_ups.messages(place, 1 if quick else 3, 2000 if quick else 5000)
    if wanted("steps"):
        sections["A step of 100 rows, upstream answering in 30 ms"] = _steps(place, quick=quick)
    if wanted("tick"):
        population.forget_all()
        population.fill_with_idle_lanes(1000 if quick else 10_000)
        sections["The dispatcher"] = [*wake_ups.idle_tick(200), *wake_ups.dispatch_all()]
    return sections


def _steps(place: ground.Ground, *, quick: bool) -> list[Figure]:
    from devtools.bench import population, steps, writes  # noqa: PLC0415
    from integrations.models import Connection  # noqa: PLC0415

    rounds, seconds = (1, 4.0) if quick else (3, 10.0)
    population.queue_windows(list(Connection.objects.all()), windows=20 if quick else 60)
    place.simulator.fault("slow", times=-1, seconds=0.03)
    bare = writes.BareTransactions()
    limits: list[float] = []
    limit_cpu_ms: list[float] = []
    paces: dict[int, list[steps.Pace]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, taken in paces.items():
            before = time.process_time() + place.cpu_seconds({})["postgres"]
            limits.append(bare.per_second(seconds / 2))
            used = time.process_time() + place.cpu_seconds({})["postgres"] - before
            limit_cpu_ms.append(used * 1000 / (limits[-1] * seconds / 2))
            taken.append(steps.measure(place, workers, seconds))
    bare.close()
    place.simulator.clear_faults()
    population.forget_work()
    limit, limit_ms = median(limits), median(limit_cpu_ms)
    one, two = (median([pace.per_second for pace in paces[workers]]) for workers in (1, 2))
    step_ms = median([pace.cpu_ms_a_step() for pace in paces[1]])
    some = paces[1][-1]
    return [
        Figure("bare write transaction, 8 threads", limit, "/s", note="the limit: delete and COPY 100 rows, move a cursor"),
        Figure("whole steps, 1 worker process", one, "/s", note=f"{some.rows_a_step:.0f} rows a step"),
        Figure("  … of bare write transactions", one / limit, "×", 0.12),
        Figure("whole steps, 2 worker processes", two, "/s"),
        Figure("  … of bare write transactions", two / limit, "×", 0.18),
        Figure("processor time, a bare transaction", limit_ms, "ms", note="client and PostgreSQL"),
        Figure("processor time, a whole step", step_ms, "ms", note="all but the simulator"),
        Figure("  … bare transaction of it", limit_ms / step_ms, "×", note="what neighbours on the machine cannot bend"),
        *(Figure(f"processor time a step, {name}", some.cpu_ms_a_step(name), "ms")
          for name in ("worker", "postgres", "redis", "beat", "simulator")),
        Figure("memory of a worker under load (PSS)", some.pss["worker-1"] / 1e6, "MB", 80.0, at_least=False),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
