"""All rows at once: minutes of random faults, several at a time; only in the long form."""

from __future__ import annotations

import contextlib
import time

import pytest

from devtools.demo.api import ApiError
from tests.faults.lab import Lab, long_form
from tests.faults.verdict import judge

pytestmark = [
    pytest.mark.faults,
    long_form,
]

SECONDS = 180
UPSTREAM = (
    "server_error",
    "overloaded",
    "rate_limit_retry_after",
    "cut_body",
    "connection_reset",
    "not_json",
    "slow",
)


def test_random_chaos(lab: Lab) -> None:
    """Every row: whatever comes together, in the end every total is exact."""
    lab.run_engine(workers=2)
    lab.start_beat(2)
    chaos = _Chaos(lab)
    connections = [lab.connect() for _ in range(4)]
    for kind in UPSTREAM:
        lab.simulator.fault(kind, permille=25, times=-1)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        lab.chance.choice(chaos.acts)()
        time.sleep(lab.chance.uniform(0.2, 3))
        chaos.supervise()
        lab.hurry()
        if lab.value("SELECT count(*) FROM workers_syncrun WHERE status IN ('queued', 'running')") < 2:
            # Its test may meet a fault like any other request; the next round tries another organisation.
            with contextlib.suppress(ApiError, OSError, ValueError):
                connections.append(lab.connect())
    lab.simulator.clear_faults()
    for path in (lab.servers.postgres_path, lab.servers.redis_path):
        path.heal()
    lab.hurry()

    # Each frozen worker can send one request late; several at once were frozen here.
    judge(lab, *connections, jitter=4)


class _Chaos:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.acts = [
            lambda: self._kill("worker-1"), lambda: self._kill("worker-2"), lambda: self._kill("beat-1"),
            self._flush, self._restart_redis, self._restart_postgres, self._end_sessions, self._freeze,
            self._silence, self._cut,
        ]  # fmt: skip

    def supervise(self) -> None:
        for name in ("worker-1", "worker-2"):
            if not self.lab.is_alive(name):
                self.lab.processes.pop(name, None)
                self.lab.start_worker(int(name[-1]), wait=False)
        if not self.lab.is_alive("beat-1"):
            self.lab.start_beat(1)

    def _kill(self, name: str) -> None:
        if self.lab.is_alive(name):
            self.lab.kill(name)

    def _flush(self) -> None:
        with self.lab.servers.redis.client() as client:
            client.flushall()

    def _restart_redis(self) -> None:
        self.lab.servers.redis.kill()
        self.lab.servers.redis.forget()
        time.sleep(self.lab.chance.uniform(0, 3))
        self.lab.servers.redis.start()

    def _restart_postgres(self) -> None:
        self.lab.servers.postgres.kill()
        self.lab.servers.postgres.restart()

    def _end_sessions(self) -> None:
        self.lab.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")  # fmt: skip

    def _freeze(self) -> None:
        if self.lab.is_alive("worker-1"):
            with self.lab.frozen(self.lab.processes["worker-1"].pid):
                time.sleep(6)

    def _silence(self) -> None:
        path = self.lab.chance.choice([self.lab.servers.postgres_path, self.lab.servers.redis_path])
        path.hold()
        time.sleep(self.lab.chance.uniform(1, 6))
        path.heal()

    def _cut(self) -> None:
        for path in (self.lab.servers.postgres_path, self.lab.servers.redis_path):
            path.cut()
