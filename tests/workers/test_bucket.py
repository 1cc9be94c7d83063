"""The bucket against a real server; its clock is Redis's own, except where a test replaces TIME in the script."""

from __future__ import annotations

import threading
import uuid

import pytest
import redis
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.bucket import _SCRIPT, Bucket, BucketUnavailableError, Rate, Seed, redis_client

SECOND = 1_000_000
SLOW = Rate(interval_us=60 * SECOND, capacity=3)
FULL = Seed(SLOW.full_us)


def bucket(rate: Rate = SLOW) -> Bucket:
    return Bucket(uuid.uuid4().hex, rate)


class TestAcquire:
    def test_grants_the_capacity_and_then_names_the_wait(self):
        limited = bucket()

        answers = [limited.acquire(FULL) for _ in range(4)]

        assert [answer.granted for answer in answers] == [True, True, True, False]
        assert 59 < answers[3].wait_seconds <= 60

    def test_leaves_the_floor_to_others(self):
        limited = bucket()

        polite = [limited.acquire(FULL, floor=1).granted for _ in range(3)]

        assert polite == [True, True, False]
        assert limited.acquire(FULL).granted

    def test_asks_for_no_more_than_a_full_bucket(self):
        tiny = bucket(Rate(interval_us=60 * SECOND, capacity=1))

        assert tiny.acquire(Seed(60 * SECOND), floor=1).granted

    def test_starts_where_the_database_knew_it(self):
        limited = bucket()

        assert not limited.acquire(Seed(level_us=0)).granted
        assert limited._client.exists(limited.key)

    def test_keeps_a_block_the_database_knew(self):
        answer = bucket().acquire(Seed(SLOW.full_us, blocked_us=30 * SECOND))

        assert not answer.granted
        assert 29 < answer.wait_seconds <= 30

    def test_scales_the_level_when_the_rate_changes(self):
        limited = bucket()
        limited.acquire(FULL)
        faster = Bucket("x", Rate(interval_us=6 * SECOND, capacity=3))
        faster.key = limited.key

        assert 1.9 < faster.peek(FULL).level_us / (6 * SECOND) < 2.1


class TestPenalise:
    def test_empties_and_blocks_for_all(self):
        limited = bucket()

        limited.penalise(FULL, 90)

        answer = limited.acquire(FULL)
        assert not answer.granted
        assert 89 < answer.wait_seconds <= 90


class TestDebit:
    def test_becomes_a_debt_that_is_waited_for(self):
        limited = bucket()
        for _ in range(4):
            limited.debit(FULL)

        assert 119 < limited.acquire(FULL).wait_seconds <= 120


class TestPeek:
    def test_changes_nothing(self):
        limited = bucket()

        limited.peek(FULL)

        assert not limited._client.exists(limited.key)


class TestUnavailable:
    def test_fails_closed(self):
        nowhere = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=1)

        with pytest.raises(BucketUnavailableError):
            Bucket("x", SLOW, nowhere).acquire(FULL)

    def test_survives_a_flushed_script_cache(self):
        limited = bucket()
        limited.acquire(FULL)
        redis_client().script_flush()

        assert limited.acquire(FULL).granted


class TestConcurrency:
    def test_grants_no_more_than_the_capacity_to_many_threads(self):
        limited, granted = bucket(Rate(interval_us=3600 * SECOND, capacity=25)), []
        seed = Seed(limited.rate.full_us)

        def work() -> None:
            granted.extend(limited.acquire(seed).granted for _ in range(20))

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(granted) == 25


class ClockedBucket(Bucket):
    """The same script with TIME replaced by a clock that a test sets, forwards and backwards."""

    now_us = 1_700_000_000 * SECOND

    def __init__(self, rate: Rate) -> None:
        client = redis.Redis.from_url(django_settings.REDIS_URL)
        super().__init__(uuid.uuid4().hex, rate, client)

    def _call(self, operation, seed, *, floor=0, block_us=0):
        seconds, micros = divmod(self.now_us, SECOND)
        text = _SCRIPT.replace("redis.call('TIME')", f"{{'{seconds}', '{micros}'}}")
        assert text != _SCRIPT
        self._script = lambda keys, args: self._client.eval(text, 1, *keys, *args)
        return super()._call(operation, seed, floor=floor, block_us=block_us)


RATE = Rate(interval_us=SECOND, capacity=5)
move = st.tuples(st.integers(-20 * SECOND, 20 * SECOND), st.integers(1, 8))


class TestAnyClock:
    @settings(max_examples=100)
    @given(moves=st.lists(move, min_size=1, max_size=12))
    def test_never_grants_more_than_capacity_plus_rate_times_forward_time(self, moves):
        limited, forward, grants = ClockedBucket(RATE), 0, 0
        for step_us, tries in moves:
            limited.now_us += step_us
            forward += max(step_us, 0)
            grants += sum(limited.acquire(Seed(RATE.full_us)).granted for _ in range(tries))

        assert grants <= RATE.capacity + forward / RATE.interval_us

    @settings(max_examples=100)
    @given(moves=st.lists(move, min_size=1, max_size=8))
    def test_grants_after_exactly_the_wait_it_named(self, moves):
        limited = ClockedBucket(RATE)
        for step_us, tries in moves:
            limited.now_us += step_us
            for _ in range(tries):
                answer = limited.acquire(Seed(RATE.full_us))
        limited.now_us += round(answer.wait_seconds * SECOND)

        assert answer.granted or limited.acquire(Seed(RATE.full_us)).granted
        assert answer.wait_seconds <= RATE.interval_us / SECOND

    @settings(max_examples=60)
    @given(penalty=st.integers(1, 3600), early_us=st.integers(1, 3_600_000_000))
    def test_never_grants_inside_a_penalty(self, penalty, early_us):
        limited = ClockedBucket(RATE)
        limited.penalise(Seed(RATE.full_us), penalty)
        limited.now_us += max(0, penalty * SECOND - early_us)

        assert not limited.acquire(Seed(RATE.full_us)).granted
