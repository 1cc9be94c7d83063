"""Beat rings into Redis for as long as it lives, whether anybody listens or not."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest
import time_machine
from celery.beat import Service

from config.beat import MOST_WAITING
from config.celery import app
from foundation.queues import key_of
from workers import signs
from workers.bucket import redis_client


@pytest.fixture
def beat(tmp_path: Path):
    """What the beat process runs, with its own connection to the broker; `ring` is a second of its life."""
    redis_client().delete(key_of("ticks"))
    service = Service(
        app, schedule_filename=str(tmp_path / "schedule"), scheduler_cls=app.conf.beat_scheduler
    )
    yield service.scheduler
    service.scheduler.close()
    service.scheduler.connection.release()
    redis_client().delete(key_of("ticks"))


def ring(beat, seconds: int) -> int:
    """Let beat send its tick so often; return how many messages wait then."""
    for _ in range(seconds):
        beat.apply_entry(beat.schedule["tick"], producer=beat.producer)
    return redis_client().llen(key_of("ticks"))


def test_sends_every_tick_while_they_are_taken(beat):
    assert ring(beat, 5) == 5
    redis_client().delete(key_of("ticks"))
    assert ring(beat, MOST_WAITING) == MOST_WAITING


def test_does_not_fill_redis_while_nobody_takes_them(beat):
    assert ring(beat, MOST_WAITING + 40) == MOST_WAITING


def test_goes_on_as_soon_as_somebody_does(beat):
    ring(beat, MOST_WAITING + 5)
    redis_client().ltrim(key_of("ticks"), 0, 9)

    assert ring(beat, 3) == 13


def test_says_once_that_nobody_takes_them_and_once_that_somebody_does(beat, caplog):
    ring(beat, MOST_WAITING + 5)
    redis_client().delete(key_of("ticks"))
    ring(beat, 2)

    told = [record.getMessage() for record in caplog.records if record.name == "config.beat"]
    assert len(told) == 2
    assert "nobody_takes_messages" in told[0]
    assert "messages_are_taken_again" in told[1]


@pytest.mark.parametrize("step_at", range(6))
def test_rings_on_whatever_was_next_when_the_clock_was_set_back(beat, step_at, monkeypatch):
    """Each second of the schedule has another entry in front, and what stands behind it holds times of the old clock."""
    rung: Counter[str] = Counter()
    monkeypatch.setattr(type(beat), "apply_entry", lambda _, entry, **__: rung.update([entry.name]))
    before = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)

    live(beat, before, seconds=10 + step_at)
    rung.clear()
    live(beat, before - dt.timedelta(minutes=70), seconds=30)

    assert rung["tick"] >= 29
    assert rung["outbox"] >= 5


def test_sleeps_until_something_is_due(beat, monkeypatch):
    """Not until shortly before, to look without a pause from then on."""
    rung: list[str] = []
    monkeypatch.setattr(type(beat), "apply_entry", lambda _, entry, **__: rung.append(entry.name))
    looks = 0

    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False) as clock:
        while rung.count("tick") < 20:
            looks += 1
            clock.shift(dt.timedelta(seconds=max(beat.tick(), 0.0001)))

    assert looks <= 2 * len(rung)


def live(beat, start: dt.datetime, *, seconds: int) -> None:
    """Have beat look four times a second, as often as something is due, for so long by its machine's clock."""
    for quarter in range(4 * seconds):
        with time_machine.travel(start + dt.timedelta(seconds=quarter / 4), tick=False):
            while beat.tick() == 0:
                pass


def test_leaves_a_sign_of_life_that_is_gone_soon_after_it(beat):
    redis_client().delete("tallystick:beat")

    beat.tick()

    assert signs.is_beat_alive()
    assert 0 < redis_client().ttl("tallystick:beat") <= signs.GOOD_FOR_SECONDS < 60
