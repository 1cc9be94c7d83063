"""Rows 1, 12 and 13 of the matrix: workers killed, ended in order, frozen, and two on one lane."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.lab import IS_FULL, LEASE_SECONDS, Connected, Lab
from tests.faults.verdict import judge, rest

pytestmark = pytest.mark.faults

KILLS = 50 if IS_FULL else 6


def held_lanes(lab: Lab) -> dict[int, int]:
    return dict(lab.rows("SELECT id, fence FROM workers_lane WHERE state = 'leased'"))


def moved_on(lab: Lab, held: dict[int, int]) -> bool:
    now = dict(lab.rows("SELECT id, CASE WHEN state = 'leased' THEN fence ELSE -1 END FROM workers_lane"))
    return all(now.get(lane) != fence for lane, fence in held.items())


def have_work(lab: Lab, connections: list[Connected]) -> bool:
    """Connect one more organisation when nothing is left to do, which may happen at any moment; no lane is held yet."""
    if lab.is_at_rest():
        connections.append(lab.connect())
    return False


def test_kill_9_at_random_points(lab: Lab) -> None:
    """Row 1: kill -9 of a worker at random points of a backfill, again and again."""
    lab.run_engine(workers=2)
    connections = [lab.connect(), lab.connect(size="medium")]
    for number in range(1, KILLS + 1):
        lab.eventually(lambda: held_lanes(lab) or have_work(lab, connections), "a lane is held")
        time.sleep(lab.chance.uniform(0, 0.4))
        held, before = held_lanes(lab), lab.progress()
        name = lab.chance.choice([name for name in ("worker-1", "worker-2") if lab.is_ready(name)])
        lab.kill(name)
        lab.start_worker(int(name[-1]), wait=False)
        lab.eventually(lambda: lab.is_ready("worker-1") or lab.is_ready("worker-2"), "one worker is ready")
        if number % 3 == 0:
            taken = lab.eventually(lambda held=held: moved_on(lab, held), "every held lane moved on")
            lab.note(f"kill -9 of one of two workers: its lanes go on (lease {LEASE_SECONDS} s)", taken)
        else:
            # Five starts without any outcome would stop the run as poisoned, and rightly so.
            lab.eventually(
                lambda before=before: lab.progress() > before or lab.is_at_rest(),
                "something is achieved between two kills",
            )

    judge(lab, *connections)


def test_ordered_end_in_the_middle_of_a_backfill(lab: Lab) -> None:
    """Row 12: SIGTERM as in a deploy; what is in flight finishes, and the next worker goes on from there."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    lab.simulator.fault("slow", organisation=connection.slug, seconds=1.5, times=1)
    lab.eventually(lambda: lab.simulator.faults()[0]["struck"], "a slow request is under way")
    started = time.monotonic()
    lab.signal("worker-1", signal.SIGTERM)
    status = lab.processes["worker-1"].wait(30)
    lab.note("SIGTERM of a worker with a request under way: ended in order", time.monotonic() - started)
    lab.kill("worker-1")
    assert status == 0
    lab.start_worker()

    judge(lab, connection)
    # No request was made twice: the one under way was stored.
    asked = [
        each
        for each in lab.simulator.requests(organisation=connection.slug)
        if "/analytics/" not in each["path"]
    ]
    steps = lab.value("SELECT steps_total FROM workers_syncrun WHERE connection_id = %s", connection.id)
    assert len(asked) == steps + 2  # two of the connection test


def test_frozen_worker_that_wakes_up_late_writes_nothing(lab: Lab) -> None:
    """Row 13: a worker stopped past its lease and continued; another has taken over, the late one is refused."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(1)
    # The answer arrives while the worker is frozen; it is read only after the other one has taken over.
    lab.simulator.fault("slow", organisation=connection.slug, path="cost_report", seconds=0.5, times=1)
    lab.eventually(lambda: lab.simulator.faults()[0]["struck"], "a request is under way")
    lab.start_worker(2, wait=False)
    with lab.frozen(lab.processes["worker-1"].pid):
        before = lab.progress()
        lab.eventually(lambda: lab.progress() > before + 1, "the second worker has taken over")
    lab.eventually(lambda: "lease_lost" in lab.log("worker-1"), "the first one notices")

    # One request too many can arrive at once: the frozen one's token was of its own time.
    judge(lab, connection, jitter=2.5)


def test_lane_is_held_once_however_often_it_is_rung(lab: Lab) -> None:
    """Rows 6 and 13: twenty messages for one lane to two workers at once, again and again; one request at a time."""
    lab.run_engine(workers=2)
    connection = lab.connect()
    lane = lab.value("SELECT id FROM workers_lane")
    while lab.progress() < 8:
        lab.send("workers.run_lane", times=20, lane_id=lane)
        time.sleep(0.2)

    judge(lab, connection)
    assert lab.value("SELECT count(*) FROM workers_page") == lab.value(
        "SELECT count(*) FROM workers_syncstep"
    )


def test_step_that_kills_its_worker_stops_only_its_run(lab: Lab) -> None:
    """Row 1: a poison step ends every worker that tries it; after five times its run stops, the others go on."""
    lab.run_engine()
    poisoned, healthy = lab.connect(days=30), lab.connect(days=30)
    rest(lab)
    lab.rows(
        "UPDATE workers_syncrun SET claims_since_progress = 5, status = 'running' WHERE connection_id = %s",
        poisoned.id,
    )
    lab.rows("UPDATE workers_syncstep SET status = 'queued' FROM workers_syncrun r "
             "WHERE r.id = run_id AND r.connection_id = %s", poisoned.id)  # fmt: skip
    lab.rows("UPDATE workers_lane SET state = 'waiting', due_at = now()")
    lab.eventually(
        lambda: (
            lab.value("SELECT status FROM workers_syncrun WHERE connection_id = %s", poisoned.id) == "failed"
        ),
        "the poisoned run is stopped",
    )

    assert "ended its worker" in lab.value(
        "SELECT detail FROM workers_syncrun WHERE connection_id = %s", poisoned.id
    )
    judge(lab, healthy)
