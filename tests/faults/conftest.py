from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.faults import lab as laboratory
from tests.faults import notes
from tests.faults.lab import Lab


@pytest.fixture(scope="session")
def opened_lab() -> Iterator[Lab]:
    with laboratory.opened() as opened:
        yield opened


@pytest.fixture
def lab(request: pytest.FixtureRequest, opened_lab: Lab) -> Iterator[Lab]:
    """The lab, empty and healed; workers and beat are whatever the test asks for."""
    seed = os.environ[notes.SEED]
    print(f"{notes.SEED}={seed}")
    # Of the test's own, so that it draws the same in any order and any process.
    opened_lab.chance = random.Random(f"{seed} {request.node.name}")
    opened_lab.recoveries = {}
    opened_lab.reset()
    yield opened_lab
    notes.attach(request.node, opened_lab.recoveries)
    # A test that failed may leave anything behind.
    for name in [name for name in opened_lab.processes if name != "web"]:
        if not opened_lab.is_alive(name):
            opened_lab.kill(name)
