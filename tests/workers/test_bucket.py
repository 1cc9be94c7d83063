"""The bucket against a real server; its clock is Redis's own, except where a test replaces TIME in the script."""

from __future__ import annotations

import threading
import uuid

import pytest
import redis
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.bucket import (
    _SCRIPT,
    KEPT_SECONDS,
    Bucket,
    BucketUnavailableError,
    Place,
    Rate,
    Seed,
    rate_of,
    redis_client,
)

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

        polite = [limited.acquire(FULL, reserve=1).granted for _ in range(3)]

        assert polite == [True, True, False]
        assert limited.acquire(FULL).granted

    def test_asks_for_no_more_than_a_full_bucket(self):
        tiny = bucket(Rate(interval_us=60 * SECOND, capacity=1))

        assert tiny.acquire(Seed(60 * SECOND), reserve=1).granted

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


class TestRateOf:
    @pytest.mark.parametrize("family", ["classic", "analytics"])
    def test_earns_tokens_a_little_slower_than_is_allowed(self, settings, family):
        """The network moves requests by milliseconds: two that leave a minute apart may arrive closer to each other."""
        settings.ANTHROPIC_REQUESTS_PER_MINUTE = settings.ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE = 1
        settings.ANTHROPIC_BURST = settings.ANTHROPIC_ANALYTICS_BURST = 7

        rate = rate_of(family)

        assert 60.3 * SECOND <= rate.interval_us <= 61.2 * SECOND
        assert rate.capacity == 7

    def test_knows_no_other_family(self):
        with pytest.raises(ValueError, match="no rate is configured"):
            rate_of("unheard-of")


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


class TimedBucket(Bucket):
    """The same script, which also writes down by Redis's own clock when it granted what."""

    def __init__(self, rate: Rate) -> None:
        super().__init__(uuid.uuid4().hex, rate)
        noting = "  if wait == 0 then\n    granted = 1\n    redis.call('RPUSH', KEYS[1] .. ':grants', string.format('%.0f', now))"
        text = _SCRIPT.replace("  if wait == 0 then\n    granted = 1", noting)
        assert text != _SCRIPT
        self._script = self._client.register_script(text)

    @property
    def grants(self) -> list[int]:
        return [int(moment) for moment in self._client.lrange(f"{self.key}:grants", 0, -1)]


class TestConcurrencyOverTime:
    @settings(max_examples=15)
    @given(
        rate=st.builds(Rate, st.integers(200, 20_000), st.integers(1, 10)),
        floors=st.lists(st.integers(0, 2), min_size=2, max_size=8),
    )
    def test_grants_no_more_than_capacity_plus_rate_times_time_in_any_interval(self, rate, floors):
        """Eight callers at most, each asking as fast as it can while the bucket fills again and again."""
        limited = TimedBucket(rate)

        def ask(reserve: int) -> None:
            for _ in range(60):
                limited.acquire(Seed(rate.full_us), reserve=reserve)

        threads = [threading.Thread(target=ask, args=(reserve,)) for reserve in floors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert limited.grants
        assert exceeded(limited.grants, rate) == []


class ClockedBucket(Bucket):
    """The same script with TIME replaced by a clock that a test sets, forwards and backwards."""

    now_us = 1_700_000_000 * SECOND

    def __init__(self, rate: Rate) -> None:
        client = redis.Redis.from_url(django_settings.REDIS_URL)
        super().__init__(uuid.uuid4().hex, rate, client)

    def _call(self, operation, seed, **options):
        seconds, micros = divmod(self.now_us, SECOND)
        text = _SCRIPT.replace("redis.call('TIME')", f"{{'{seconds}', '{micros}'}}")
        assert text != _SCRIPT
        self._script = lambda keys, args: self._client.eval(text, 1, *keys, *args)
        return super()._call(operation, seed, **options)


RATE = Rate(interval_us=SECOND, capacity=5)
move = st.tuples(st.integers(-20 * SECOND, 20 * SECOND), st.integers(1, 8))
# What callers do between two movements of the clock: ask (so often, or leaving so many tokens), charge, obey a 429.
call = st.one_of(
    st.tuples(st.just("burst"), st.integers(1, 20)),
    st.tuples(st.just("acquire"), st.integers(0, 2)),
    st.tuples(st.just("debit"), st.just(0)),
    st.tuples(st.just("penalise"), st.integers(0, 5)),
    st.tuples(st.just("peek"), st.just(0)),
)
rates = st.builds(Rate, st.integers(1000, 90 * SECOND), st.integers(1, 12))


def do(limited: Bucket, what: str, amount: int, seed: Seed) -> int:
    """Make one call; return how many requests it allowed. What was debited had to be made in any case."""
    if what == "burst":
        return sum(limited.acquire(seed).granted for _ in range(amount))
    if what == "acquire":
        return int(limited.acquire(seed, reserve=amount).granted)
    if what == "debit":
        limited.debit(seed)
    elif what == "penalise":
        limited.penalise(seed, amount)
    else:
        limited.peek(seed)
    return 0


def exceeded(grants: list[int], rate: Rate) -> list[tuple[int, int]]:
    """Return each interval between two grants, given as credit earned by then, with more of them than it allows."""
    return [
        (first, last)
        for n, first in enumerate(grants)
        for m, last in enumerate(grants[n:], start=1)
        if m * rate.interval_us > rate.full_us + last - first
    ]


class TestAnyClock:
    @settings(max_examples=200)
    @given(
        rate=rates,
        moves=st.lists(st.tuples(st.floats(-9, 20), st.lists(call, max_size=6)), min_size=1, max_size=10),
    )
    def test_never_grants_more_than_capacity_plus_rate_times_forward_time_in_any_interval(self, rate, moves):
        """Between any two grants, not only since the first; a clock set back earns nothing when it is set back."""
        limited, forward_us, grants = ClockedBucket(rate), 0, []
        for tokens, calls in moves:
            step_us = round(tokens * rate.interval_us)
            limited.now_us += step_us
            forward_us += max(step_us, 0)
            for what, amount in calls:
                grants += [forward_us] * do(limited, what, amount, Seed(rate.full_us))

        assert exceeded(grants, rate) == []

    @settings(max_examples=100)
    @given(
        rate=rates,
        moves=st.lists(st.tuples(st.floats(0, 9), st.booleans(), st.integers(1, 8)), min_size=1, max_size=12),
    )
    def test_forgets_nothing_when_redis_loses_the_bucket(self, rate, moves):
        """The database knows the level after each grant and what was earned since, as a lane's row does."""
        limited, noted_us, noted_at, grants = ClockedBucket(rate), rate.full_us, ClockedBucket.now_us, []
        for tokens, is_lost, tries in moves:
            limited.now_us += round(tokens * rate.interval_us)
            if is_lost:
                limited._client.delete(limited.key)
            for _ in range(tries):
                answer = limited.acquire(Seed(noted_us + limited.now_us - noted_at))
                if answer.granted:
                    noted_us, noted_at = answer.level_us, limited.now_us
                    grants.append(limited.now_us)

        assert exceeded(grants, rate) == []

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


MINUTE = Rate(interval_us=60 * SECOND, capacity=10)
EMPTY = Seed(0)
ALICE, BOB, CAROL = (Place(name, 2) for name in ("alice", "bob", "carol"))


class Minutes(ClockedBucket):
    """One token a minute, ten saved up, and none of them there now."""

    def __init__(self, rate: Rate = MINUTE) -> None:
        super().__init__(rate)

    def pass_seconds(self, seconds: float) -> None:
        self.now_us += round(seconds * SECOND)

    def lane_takes(self, seconds: int, *, reserve: int = 0) -> int:
        """Let a lane ask every second for so long; return how many tokens it got."""
        taken = 0
        for _ in range(seconds):
            self.pass_seconds(1)
            taken += self.acquire(EMPTY, reserve=reserve).granted
        return taken


class TestPlace:
    def test_is_given_all_its_tokens_or_none(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.pass_seconds(60)

        refused = limited.take(EMPTY, ALICE)

        assert (refused.granted, refused.level_us) == (False, MINUTE.interval_us)

    def test_keeps_its_moment_though_a_lane_asks_all_the_time(self):
        limited = Minutes()
        wait_seconds = limited.take(EMPTY, ALICE).wait_seconds

        assert wait_seconds == 120
        assert limited.lane_takes(120) == 0
        assert limited.take(EMPTY, ALICE).granted

    def test_is_no_longer_in_the_way_of_a_lane_once_it_was_used(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.pass_seconds(120)
        limited.take(EMPTY, ALICE)

        assert limited.lane_takes(120) == 2

    def test_holds_nobody_up_for_long_when_nobody_comes(self):
        limited = Minutes()
        wait_seconds = limited.take(EMPTY, ALICE).wait_seconds

        assert limited.lane_takes(round(wait_seconds + KEPT_SECONDS) - 1) == 1
        assert limited.lane_takes(1) == 1
        assert limited.peek(EMPTY).reserved_us == 0

    def test_makes_a_lane_look_again_when_it_ends(self):
        limited = Minutes(Rate(interval_us=60 * SECOND, capacity=1))
        limited.take(EMPTY, ALICE)

        wait_seconds = limited.acquire(EMPTY, reserve=1).wait_seconds

        limited.pass_seconds(wait_seconds)
        assert limited.acquire(EMPTY, reserve=1).granted

    def test_stays_where_it_was_however_often_its_owner_asks(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.pass_seconds(30)

        assert [limited.take(EMPTY, ALICE).wait_seconds for _ in range(3)] == [90, 90, 90]
        assert limited.peek(EMPTY).reserved_us == 2 * MINUTE.interval_us

    def test_is_served_in_turn(self):
        limited = Minutes()
        waits = [limited.take(EMPTY, who).wait_seconds for who in (ALICE, BOB, CAROL)]

        assert waits == [120, 240, 360]
        assert limited.lane_takes(120) == 0
        assert [limited.take(EMPTY, who).granted for who in (CAROL, BOB, ALICE)] == [False, False, True]
        assert limited.lane_takes(120) == 0
        assert [limited.take(EMPTY, who).granted for who in (CAROL, BOB)] == [False, True]

    def test_is_kept_for_the_second_when_the_first_comes_late(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.take(EMPTY, BOB)
        limited.pass_seconds(239)
        assert limited.take(EMPTY, ALICE).granted
        limited.pass_seconds(1)

        assert limited.take(EMPTY, BOB).granted

    def test_is_served_earlier_when_the_one_before_gives_up(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.take(EMPTY, BOB)
        limited.give_back(EMPTY, Place("alice", 0))
        limited.pass_seconds(120)

        assert limited.take(EMPTY, BOB).granted

    def test_goes_before_somebody_who_asks_for_the_first_time(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.pass_seconds(120)

        assert not limited.take(EMPTY, BOB).granted
        assert limited.take(EMPTY, ALICE).granted

    def test_keeps_its_moment_though_a_debit_came_in_between(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.debit(EMPTY)
        limited.pass_seconds(120)

        answer = limited.take(EMPTY, ALICE)

        assert (answer.granted, answer.level_us) == (True, -MINUTE.interval_us)

    def test_waits_as_long_as_upstream_asks_in_the_same_order(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.take(EMPTY, BOB)
        limited.penalise(EMPTY, 300)
        limited.pass_seconds(299)
        waits = [limited.take(EMPTY, who).wait_seconds for who in (BOB, ALICE)]

        assert waits == [1, 1]
        limited.pass_seconds(1)
        assert [limited.take(EMPTY, who).granted for who in (ALICE, BOB)] == [True, True]

    def test_of_more_than_a_full_bucket_is_paid_by_waiting(self):
        limited = Minutes(Rate(interval_us=60 * SECOND, capacity=1))

        assert limited.take(EMPTY, ALICE).wait_seconds == 60
        limited.pass_seconds(60)
        assert limited.take(EMPTY, ALICE).level_us == -60 * SECOND

    def test_keeps_what_was_left_of_its_wait_when_the_clock_steps_back(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited.pass_seconds(-3600)

        assert limited.take(EMPTY, ALICE).wait_seconds == 120

    def test_is_lost_with_redis_and_holds_nobody_up_then(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)
        limited._client.delete(limited.key)

        assert limited.acquire(Seed(MINUTE.interval_us)).granted

    def test_gives_back_what_was_not_needed(self):
        limited = Minutes()
        limited.pass_seconds(0)
        limited.take(Seed(2 * MINUTE.interval_us), ALICE)

        assert limited.give_back(EMPTY, Place("alice", 1)).level_us == MINUTE.interval_us

    def test_fills_no_more_than_the_bucket_with_what_is_given_back(self):
        limited = Minutes()

        assert limited.give_back(Seed(MINUTE.full_us), ALICE).level_us == MINUTE.full_us


class TestAcquireInAdvance:
    def test_lets_the_level_fall_as_far_below_zero_as_it_says(self):
        limited = Minutes()

        assert [limited.acquire(EMPTY, reserve=-2).granted for _ in range(3)] == [True, True, False]

    def test_takes_nothing_that_somebody_waits_for(self):
        limited = Minutes()
        limited.take(EMPTY, ALICE)

        assert [limited.acquire(EMPTY, reserve=-2).granted for _ in range(2)] == [False, False]


people = st.sampled_from([ALICE, BOB, CAROL])
events = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 90)),
    st.tuples(st.just("ask"), people),
    st.tuples(st.just("lane"), st.integers(0, 2)),
    st.tuples(st.just("debit"), st.just(0)),
)


def play(limited: Minutes, what: str, value, promised: dict[Place, int]) -> int:
    """Make one call, and note what it promises to whom; return how many requests it allowed."""
    if what == "pass":
        limited.pass_seconds(value)
    elif what == "lane":
        return int(limited.acquire(EMPTY, reserve=value).granted)
    elif what == "debit":
        limited.debit(EMPTY)
    elif (answer := limited.take(EMPTY, value)).granted:
        promised.pop(value, None)
        return value.tokens
    else:
        promised[value] = limited.now_us + round(answer.wait_seconds * SECOND)
    return 0


class TestAnyQueue:
    @settings(max_examples=200)
    @given(calls=st.lists(events, max_size=40), whose=people)
    def test_keeps_each_moment_it_named_last(self, calls, whose):
        """Whatever others did meanwhile; unless somebody lets it pass, which is then a new beginning."""
        limited, promised = Minutes(), {}
        for what, value in [*calls, ("ask", whose)]:
            play(limited, what, value, promised)
        due = promised.get(whose, limited.now_us)
        limited.now_us = max(limited.now_us, due)

        assert whose not in promised or limited.take(EMPTY, whose).granted

    @settings(max_examples=200)
    @given(calls=st.lists(events, max_size=60))
    def test_never_grants_more_than_capacity_plus_rate_times_time_in_any_interval(self, calls):
        limited, grants = Minutes(), []
        start = limited.now_us
        for what, value in calls:
            grants += [limited.now_us - start] * play(limited, what, value, {})

        assert exceeded(grants, MINUTE) == []
