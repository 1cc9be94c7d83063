"""Rows 1, 12 and 13 of the matrix: workers killed, ended in order, frozen, and two on one lane."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.lab import IS_FULL, LEASE_SECONDS, Lab
from tests.faults.verdict import judge

pytestmark = pytest.mark.faults

KILLS = 50 if IS_FULL else 6


def leased(lab: Lab) -> dict[int, int]:
    return dict(lab.rows("SELECT id, fence FROM workers_lane WHERE state = 'leased'"))


def test_kill_9_at_random_points(lab: Lab) -> None:
    """Row 1: kill -9 of a worker at random points of a backfill, again and again."""
    lab.run_engine(workers=2)
    connections = [lab.connect(), lab.connect()]
    for _ in range(KILLS):
        if not leased(lab):
            if lab.value("SELECT count(*) FROM workers_lane WHERE state <> 'idle'") == 0:
                connections.append(lab.connect())
            lab.eventually(lambda: leased(lab), "a lane is held")
        time.sleep(lab.chance.uniform(0, 0.4))
        held = leased(lab)
        name = lab.chance.choice(["worker-1", "worker-2"])
        lab.kill(name)
        taken = lab.eventually(lambda: _moved_on(lab, held), "every held lane moved on", seconds=30)  # noqa: B023
        lab.note(f"kill -9 of a worker: its lanes go on (lease {LEASE_SECONDS} s)", taken)
        lab.start_worker(int(name[-1]))

    judge(lab, *connections)


def _moved_on(lab: Lab, held: dict[int, int]) -> bool:
    now = dict(lab.rows("SELECT id, CASE WHEN state = 'leased' THEN fence ELSE -1 END FROM workers_lane"))
    return all(now.get(lane) != fence for lane, fence in held.items())
