"""Doctor beside real processes: who is away is told apart, and its advice makes it well."""

from __future__ import annotations

from runtime import processes
from tests.flows.conftest import Engine, eventually
from workers import doctor
from workers.bucket import redis_client
from workers.findings import Finding


def look(name: str) -> Finding:
    return {each.name: each for each in doctor.examine()}[name]


def test_sees_beat_and_worker_come_and_beat_go_within_a_minute(engine: Engine) -> None:
    redis_client().delete("tallystick:beat")
    before = look("beat").remedy, look("workers").remedy
    beat = engine.beat()
    engine.worker()
    eventually(lambda: look("beat").is_well and look("workers").is_well, "both are seen")

    processes.kill(beat)

    eventually(lambda: not look("beat").is_well, "beat is missed", seconds=60)
    start = "Start one: python3 manage.py up, or the {} line of the Procfile."
    assert before == (start.format("beat"), start.format("worker"))
    assert look("beat").remedy == start.format("beat")
    # The worker lives: that beat is away says nothing of it.
    assert look("workers").is_well
