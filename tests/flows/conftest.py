from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection as database

from devtools.simulator.process import Simulator
from runtime import processes, stack
from runtime.processes import Process, Program
from tests.conftest import BILL_ONLY

FAST = {
    "ANTHROPIC_REQUESTS_PER_MINUTE": "60000",
    "ANTHROPIC_BURST": "10000",
    # The bill and the workspaces: what a flow needs, in a tenth of the requests.
    "REPORTS_OFF": ",".join(BILL_ONLY),
    "LEASE_SECONDS": "3",
    "WAKE_SECONDS": "2",
}


@pytest.fixture(autouse=True)
def one_report(bill_only: None) -> None:
    """What this process plans is what the processes read."""


def test_database_url() -> str:
    """The address of the database the tests use, for processes of their own."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    path = parts.path.rsplit("/", 1)[0] + "/" + database.settings_dict["NAME"]
    # urlunsplit would drop the empty host in front of a socket's absolute path.
    return (
        os.environ["DATABASE_URL"].replace(parts.path, path)
        if path.startswith("//")
        else urlunsplit(parts._replace(path=path))
    )


test_database_url.__test__ = False


class Engine:
    """Workers and beats as processes; ended with the test."""

    def __init__(self, base_url: str, logs: Path) -> None:
        self.logs = logs
        self.environment = {
            **os.environ,
            "DATABASE_URL": test_database_url(),
            "REDIS_URL": django_settings.REDIS_URL,
            "ANTHROPIC_BASE_URL": base_url,
            **FAST,
        }
        self._running: list[Process] = []

    def worker(self, **environment: str) -> Process:
        return self._start(stack.worker(len(self._running) + 1), environment)

    def beat(self, **environment: str) -> Process:
        return self._start(stack.beat(self.logs), environment)

    def web(self, port: int, **environment: str) -> Process:
        return self._start(stack.web(port), environment)

    def stop(self) -> None:
        for process in self._running:
            processes.kill(process)

    def read_logs(self) -> str:
        return "".join(path.read_text() for path in self.logs.glob("*.log"))

    def _start(self, spec, environment: dict[str, str]) -> Process:
        log = self.logs / f"{spec.name}.log"
        process = processes.start(
            Program(spec.argv, log=log, folder=spec.folder, environment={**self.environment, **environment})
        )
        self._running.append(process)
        return process


@pytest.fixture
def engine(transactional_db: None, simulator: Simulator, tmp_path: Path, settings) -> Iterator[Engine]:
    # What this process does itself (probes) must use the same rate as the processes.
    settings.ANTHROPIC_REQUESTS_PER_MINUTE = float(FAST["ANTHROPIC_REQUESTS_PER_MINUTE"])
    settings.ANTHROPIC_BURST = int(FAST["ANTHROPIC_BURST"])
    running = Engine(simulator.base_url, tmp_path)
    yield running
    running.stop()


def eventually(holds: Callable[[], bool], what: str, *, seconds: float = 60) -> float:
    """Poll until it holds and return how long that took; fail with `what` at the deadline."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - started
