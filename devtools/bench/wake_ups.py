"""What waiting and waking cost: the bucket against SET, Celery against BRPOP, an idle tick, many wake-ups.

Import only on a prepared ground (devtools/bench/ground.py).
"""

import shutil
import subprocess
import time
from dataclasses import replace

import redis
from django.db import connection as database
from django.db import transaction

from devtools.bench.figures import Figure, median, percentile, timed
from devtools.bench.ground import Ground, until
from devtools.bench.noop import noop
from foundation.queues import key_of
from runtime import stack
from runtime.valkey import Valkey
from workers import lanes, tasks
from workers.bucket import Bucket, Rate, Seed, redis_client

_RATE = Rate(1_000, 1_000_000)  # grants every time: the same work as a real grant, without running dry
_SEED = Seed(_RATE.full_us)
_KEYS = 10_000
_MESSAGE = b"x" * 900  # about the size of a Celery message


def limiter(ground: Ground, rounds: int, calls: int) -> list[Figure]:
    """Compare one acquire with one SET, as Python sees it and as the server does, in alternating rounds."""
    client = redis_client()
    taken: dict[str, list[float]] = {"SET": [], "acquire": []}
    buckets = [Bucket(f"bench-{number}", _RATE) for number in range(1000)]
    for _ in range(rounds):
        for number in range(calls):
            taken["SET"].append(timed(lambda n=number: client.set(f"bench:set:{n % 1000}", "1", px=60_000)))
        for number in range(calls):
            taken["acquire"].append(timed(lambda n=number: buckets[n % 1000].acquire(_SEED)))
    micro = {
        (name, share): percentile(values, share) * 1_000_000
        for name, values in taken.items()
        for share in (0.5, 0.99)
    }
    server = _server_rates(ground, rounds)
    return [
        Figure("SET, one call from Python, p50", micro["SET", 0.5], "µs", note="the limit"),
        Figure("bucket acquire, one call, p50", micro["acquire", 0.5], "µs"),
        Figure(
            "acquire p99 against SET p99",
            micro["acquire", 0.99] / micro["SET", 0.99],
            "×",
            2.0,
            at_least=False,
        ),
        Figure("SET on the server, 20 clients", server["SET"], "/s", note="the limit"),
        Figure("acquire on the server, 20 clients", server["acquire"], "/s"),
        Figure("acquire against SET on the server", server["acquire"] / server["SET"], "×", 0.35),
    ]


def _server_rates(ground: Ground, rounds: int) -> dict[str, float]:
    """Ask redis-benchmark where it is installed; else fill pipelines, so that Python's share stays small."""
    client = redis_client()
    digest = client.script_load(Bucket("bench", _RATE)._script.script)  # noqa: SLF001 - the very script
    arguments = ["acquire", _RATE.interval_us, _RATE.capacity, 1, 0, _SEED.level_us, 0, 0]
    rates: dict[str, list[float]] = {"SET": [], "acquire": []}
    for _ in range(rounds):
        if shutil.which("redis-benchmark"):
            rates["SET"].append(_benchmark(ground, "set", "bench:set:__rand_int__", "1", "px", "60000"))
            key = "tallystick:bucket:{bench-__rand_int__}"
            rates["acquire"].append(_benchmark(ground, "evalsha", digest, "1", key, *map(str, arguments)))
        else:
            rates["SET"].append(
                _pipelined(client, lambda pipe, n: pipe.set(f"bench:set:{n}", "1", px=60_000))
            )
            rates["acquire"].append(
                _pipelined(client, lambda pipe, n: pipe.evalsha(digest, 1, f"bench:bucket:{n}", *arguments))
            )
    return {name: median(values) for name, values in rates.items()}


def _benchmark(ground: Ground, *command: str) -> float:
    socket = str(ground.server(Valkey).socket_path)
    answer = subprocess.run(  # noqa: S603 - our own arguments
        ["redis-benchmark", "-s", socket, "-c", "20", "-n", "60000", "-r", str(_KEYS), "--csv", *command],  # noqa: S607
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # The last line: "name","requests per second", …
    return float(answer.stdout.strip().splitlines()[-1].rsplit('","')[1].strip('"'))


def _pipelined(client: redis.Redis, add: object, size: int = 500, times: int = 40) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        pipe = client.pipeline(transaction=False)
        for number in range(size):
            add(pipe, number)  # type: ignore[operator]
        pipe.execute()
    return size * times / (time.perf_counter() - begun)


def messages(ground: Ground, rounds: int, count: int) -> list[Figure]:
    """Drain a queue of no-op tasks with a worker set up as ours, and a list with BRPOP, in alternating rounds."""
    bare, celery = [], []
    for _ in range(rounds):
        bare.append(bare_brpop(count))
        celery.append(celery_noop(ground, count))
    return [
        Figure("bare BRPOP, 900 bytes, one client", median(bare), "/s", note="the limit"),
        Figure("Celery no-op tasks, threads -c 16", median(celery), "/s"),
        Figure("Celery no-op against BRPOP", median(celery) / median(bare), "×", 0.10),
    ]


def bare_brpop(count: int) -> float:
    """Give how many messages a second one client takes from a list."""
    client = redis_client()
    for _ in range(0, count, 1000):
        client.lpush("bench:list", *[_MESSAGE] * 1000)
    taken = 0
    begun = time.perf_counter()
    while client.llen("bench:list") if taken % 1000 == 0 else True:
        client.brpop("bench:list", timeout=1)
        taken += 1
    return taken / (time.perf_counter() - begun)


def celery_noop(ground: Ground, count: int) -> float:
    """Give how many empty tasks a second a worker like ours takes from a full queue, without its start."""
    client = redis_client()
    for _ in range(count):
        noop.apply_async(queue="bench")
    argv = tuple("bench" if part == "ticks,lanes" else part for part in stack.worker().argv)
    ground.start(replace(stack.worker(), name="bench-noop", argv=(*argv, "--include", "bench.noop")))
    begun_at = count - count // 10
    until(
        lambda: client.llen(key_of("bench")) <= begun_at,
        "the no-op worker takes tasks",
        seconds=60,
        every=0.005,
    )
    begun, first = time.perf_counter(), client.llen(key_of("bench"))
    until(lambda: client.llen(key_of("bench")) == 0, "the no-op queue is empty", seconds=120, every=0.005)
    rate = first / (time.perf_counter() - begun)
    ground.stop("bench-noop")
    return float(rate)


def idle_tick(times: int) -> list[Figure]:
    """Time the whole tick, and its statement for lanes alone, when nothing is due."""
    used = time.process_time()
    whole = [timed(tasks.tick) for _ in range(times)]
    used = time.process_time() - used
    waking = []
    for _ in range(times):
        with transaction.atomic():
            waking.append(timed(lanes.wake_due))
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM workers_lane WHERE state <> 'idle'")
        active = cursor.fetchone()[0]
    return [
        Figure(
            f"idle tick, {active:,} waiting lanes: waking alone",
            median(waking) * 1000,
            "ms",
            1.0,
            at_least=False,
        ),
        Figure(
            f"idle tick, {active:,} waiting lanes: whole", median(whole) * 1000, "ms", 1.0, at_least=False
        ),
        Figure("  … its processor time outside of the servers", used * 1000 / times, "ms"),
    ]


def dispatch_all() -> list[Figure]:
    """Make every lane due and tick until each was rung; the queue is emptied between ticks, as workers would."""
    client = redis_client()
    client.delete(key_of("lanes"))
    with database.cursor() as cursor:
        cursor.execute("UPDATE workers_lane SET state = 'waiting', due_at = now()")
        count = cursor.rowcount
    rung, seconds, used, ticks = 0, 0.0, 0.0, 0
    while rung < count:
        begun, begun_used = time.perf_counter(), time.process_time()
        rung += tasks.tick()["woken"]
        seconds, used = seconds + time.perf_counter() - begun, used + time.process_time() - begun_used
        ticks += 1
        client.delete(key_of("lanes"))
    note = f"{ticks} ticks; beat rings one a second"
    return [
        Figure(
            f"{count:,} wake-ups dispatched, work of the ticks", seconds, "s", 10.0, at_least=False, note=note
        ),
        Figure("  … its processor time outside of the servers", used, "s"),
    ]
