from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.faults import lab as laboratory
from tests.faults.lab import Lab

_SEED = int(os.environ.get("TALLYSTICK_FAULTS_SEED") or random.SystemRandom().randrange(10**6))
_NOTES: dict[str, float] = {}


@pytest.fixture(scope="session")
def opened_lab() -> Iterator[Lab]:
    with laboratory.opened(_SEED) as opened:
        opened.recoveries = _NOTES
        yield opened


@pytest.fixture
def lab(opened_lab: Lab) -> Iterator[Lab]:
    """The lab, empty and healed; workers and beat are whatever the test asks for."""
    print(f"TALLYSTICK_FAULTS_SEED={_SEED}")
    opened_lab.reset()
    yield opened_lab
    # A test that failed may leave anything behind.
    for name in [name for name in opened_lab.processes if name != "web"]:
        if not opened_lab.is_alive(name):
            opened_lab.kill(name)


def pytest_terminal_summary(terminalreporter) -> None:
    if not _NOTES:
        return
    terminalreporter.section(f"fault lab, TALLYSTICK_FAULTS_SEED={_SEED}")
    for fault, seconds in sorted(_NOTES.items()):
        terminalreporter.write_line(f"{seconds:7.2f}  {fault}")
