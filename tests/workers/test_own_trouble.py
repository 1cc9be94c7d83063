"""Trouble of our own servers in the middle of a turn: waits that grow, and end with the trouble."""

from __future__ import annotations

import random

import pytest
from django.db import connection as database
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Plan
from workers import backoff, executor
from workers.bucket import redis_client
from workers.clock import database_now
from workers.models import Lane, SyncStep

LONGEST = [2, 4, 8, 16, 30, 30]


class Disk:
    """Makes every write of facts fail as a full disk does."""

    def fill(self) -> None:
        with database.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
            )
            cursor.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON costs_costfact FOR EACH ROW EXECUTE FUNCTION refuse()"
            )

    def clear(self) -> None:
        with database.cursor() as cursor:
            cursor.execute("DROP FUNCTION IF EXISTS refuse() CASCADE")


@pytest.fixture
def disk(transactional_db):
    found = Disk()
    yield found
    found.clear()


@pytest.fixture
def wait_after_turn(account, connect, make_due, settings):
    """Give the only lane a turn, and say for how many seconds it waits afterwards."""
    settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 60_000, 10_000
    account.plan = Plan.PRO
    account.save()
    connect()

    def once() -> float:
        make_due()
        lane = Lane.objects.get()
        executor.process_lane(lane.pk)
        lane.refresh_from_db()
        return (lane.due_at - database_now()).total_seconds()

    return once


@pytest.fixture
def unlucky(monkeypatch):
    """Every draw is the longest possible."""
    monkeypatch.setattr(random.SystemRandom, "uniform", lambda _self, _low, high: high)


class TestFullDisk:
    def test_waits_longer_each_time_up_to_half_a_minute(self, disk, wait_after_turn, unlucky):
        disk.fill()

        waits = [wait_after_turn() for _ in LONGEST]

        assert waits == pytest.approx(LONGEST, abs=1.5)

    def test_begins_anew_once_something_was_stored(self, disk, wait_after_turn, unlucky):
        disk.fill()
        for _ in LONGEST:
            wait_after_turn()
        disk.clear()
        wait_after_turn()
        stored = SyncStep.objects.filter(status=SyncStep.Status.DONE).count()
        disk.fill()

        assert wait_after_turn() == pytest.approx(LONGEST[0], abs=1.5)
        assert stored > 0


class TestRedisAway:
    def test_waits_longer_each_time_too(self, wait_after_turn, unlucky, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        redis_client.cache_clear()
        try:
            waits = [wait_after_turn() for _ in LONGEST[:3]]
        finally:
            redis_client.cache_clear()

        assert waits == pytest.approx(LONGEST[:3], abs=1.5)


@given(st.integers(1, 10_000), st.randoms(use_true_random=False))
def test_wait_is_drawn_below_a_limit_that_doubles(failures, chance):
    limit = min(30, 2 ** min(failures, 10))

    assert 0.5 <= backoff.own_trouble(failures, chance) <= limit
