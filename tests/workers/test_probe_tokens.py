"""People who test and replace keys while a lane takes every token it is given, at the real rate on a clock of the test."""

from __future__ import annotations

import datetime as dt
import math
import re

import pytest

from accounts.models import Plan
from integrations.connections import RefusedError
from workers import bucket, executor, lifecycle
from workers.bucket import KEPT_SECONDS, redis_client
from workers.clock import database_now
from workers.lifecycle import NewConnection
from workers.models import Lane, SyncRun, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

_NOW = "test:now"


class Minutes:
    """The bucket's clock, and a lane that asks again every ten seconds of it."""

    def pass_seconds(self, seconds: float) -> int:
        """Let so much time pass for everybody; return how many requests the lane has made in it."""
        made, left = 0, math.ceil(seconds)
        while left > 0:
            redis_client().incrby(_NOW, min(left, 10))
            left -= 10
            made += self.lane_asks()
        return made

    def lane_asks(self) -> int:
        lane = Lane.objects.get(family="classic")
        Lane.objects.filter(pk=lane.pk).update(due_at=database_now(), state=Lane.State.WAITING)
        return executor.process_lane(lane.pk)


@pytest.fixture
def minutes(monkeypatch, settings) -> Minutes:
    """One request a minute, ten saved up; Redis tells the time of the test."""
    told = f"{{redis.call('GET', '{_NOW}'), '0'}}"
    script = bucket._SCRIPT.replace("redis.call('TIME')", told)
    assert script != bucket._SCRIPT
    monkeypatch.setattr(bucket, "_SCRIPT", script)
    redis_client().set(_NOW, 1_700_000_000)
    settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 10
    return Minutes()


@pytest.fixture
def filling(account, connect, minutes):
    """A backfill of a year, once everything that was saved up is used."""
    account.plan = Plan.PRO
    account.save()
    connection = connect()
    minutes.pass_seconds(70)
    return connection


@pytest.fixture
def forcing(filling, minutes):
    """The same, and somebody has forced a sync of the year, which may use the last token."""
    today = database_now().date()
    days = lifecycle.DayRange(today - dt.timedelta(days=360), today)
    lifecycle.force_sync(filling, days, actor="bob")
    minutes.pass_seconds(180)
    return filling


def new_key(simulator) -> str:
    return simulator.world("acorn-studio", "new_key")["key"]


class TestDuringBackfill:
    def test_a_stored_key_is_tested_at_once(self, filling):
        assert lifecycle.check_connection(filling, actor="alice").ok

    def test_a_key_is_replaced_at_once(self, filling, simulator):
        key = new_key(simulator)

        lifecycle.rotate_key(filling, key, actor="alice")

        assert filling.key_hint.endswith(key[-4:])

    def test_the_organisation_is_connected_elsewhere_at_once(self, filling, simulator, other_account):
        connection = lifecycle.connect(other_account, NewConnection(new_key(simulator)), actor="carol")

        assert connection.organization_id == filling.organization_id

    def test_the_backfill_goes_on(self, filling, minutes):
        before = SyncRun.objects.get().requests

        assert minutes.pass_seconds(300) == 5
        assert SyncRun.objects.get().requests == before + 5


class TestDuringForcedSync:
    def test_a_test_is_promised_a_moment_and_gets_it(self, forcing, minutes):
        refused = lifecycle.check_connection(forcing, actor="alice")

        assert refused.reason == "rate_limited"
        assert 0 < refused.retry_after_seconds <= 122
        minutes.pass_seconds(refused.retry_after_seconds)
        assert lifecycle.check_connection(forcing, actor="alice").ok

    def test_a_refusal_asks_nothing_and_spends_nothing(self, forcing, simulator, minutes):
        simulator.clear_requests()

        waits = [lifecycle.check_connection(forcing, actor="alice").retry_after_seconds for _ in range(3)]

        assert len(set(waits)) == 1
        assert simulator.requests() == []

    def test_a_known_key_is_replaced_at_the_moment_promised(self, forcing, minutes, simulator):
        key = new_key(simulator)
        lifecycle.check_key(forcing.account, key, actor="alice")
        with pytest.raises(RefusedError) as refused:
            lifecycle.rotate_key(forcing, key, actor="alice")

        minutes.pass_seconds(refused.value.retry_after_seconds)

        assert lifecycle.rotate_key(forcing, key, actor="alice").ok

    def test_everybody_who_waits_gets_their_moment(self, forcing, minutes):
        people = ["alice", "bob", "carol"]
        waits = [lifecycle.check_connection(forcing, actor=who).retry_after_seconds for who in people]
        gaps = [later - earlier for earlier, later in zip([0.0, *waits], waits, strict=False)]

        found = []
        for who, gap in zip(people, gaps, strict=True):
            minutes.pass_seconds(gap)
            found.append(lifecycle.check_connection(forcing, actor=who).ok)

        assert found == [True, True, True]
        assert sorted(waits) == waits

    def test_two_accounts_with_an_alice_have_a_place_each(self, forcing, minutes, simulator, other_account):
        key = new_key(simulator)
        lifecycle.check_key(forcing.account, key, actor="alice")
        waits = [
            lifecycle.check_key(account, key, actor="alice").retry_after_seconds
            for account in (forcing.account, other_account)
        ]

        assert waits[1] - waits[0] > 100

    def test_who_never_comes_back_costs_the_lane_no_request(self, forcing, minutes):
        wait_seconds = lifecycle.check_connection(forcing, actor="alice").retry_after_seconds

        made = minutes.pass_seconds(wait_seconds + KEPT_SECONDS + 300)

        assert made >= int((wait_seconds + KEPT_SECONDS + 300) / 61)

    def test_a_forced_sync_goes_on_behind_the_test(self, forcing, minutes):
        wait_seconds = lifecycle.check_connection(forcing, actor="alice").retry_after_seconds
        before = SyncRun.objects.get(trigger=Trigger.FORCE).requests

        minutes.pass_seconds(wait_seconds)
        lifecycle.check_connection(forcing, actor="alice")
        minutes.pass_seconds(61)

        assert SyncRun.objects.get(trigger=Trigger.FORCE).requests == before + 1

    def test_nothing_is_held_after_a_test_that_went_through(self, forcing, minutes):
        wait_seconds = lifecycle.check_connection(forcing, actor="alice").retry_after_seconds
        minutes.pass_seconds(wait_seconds)
        lifecycle.check_connection(forcing, actor="alice")

        assert not lifecycle.check_connection(forcing, actor="bob").ok
        assert 100 < lifecycle.check_connection(forcing, actor="bob").retry_after_seconds <= 122


class TestOfAKeyThatIsRefused:
    def test_gives_back_what_was_not_asked(self, filling, simulator):
        """Two tokens were taken together, and one request answers it."""
        simulator.fault("revoked", times=-1)
        lifecycle.check_connection(filling, actor="alice")
        simulator.clear_faults()

        again = lifecycle.check_connection(filling, actor="alice")

        # One token of two was used, so a minute brings what the next test needs, and not two.
        assert not again.ok
        assert again.retry_after_seconds < 61


class TestWhatAPersonReads:
    @pytest.mark.parametrize(("kind", "options"), [("server_error", {}), ("overloaded", {})])
    def test_promises_no_retry_that_nobody_makes(self, connect, simulator, kind, options):
        connection = connect()
        simulator.fault(kind, times=-1, **options)

        found = lifecycle.check_connection(connection, actor="alice")

        assert found.remedy == "Temporary: try again in a few minutes."
        assert found.retry_after_seconds is None

    @pytest.mark.parametrize(
        ("kind", "options", "seconds"),
        [("rate_limit_retry_after", {"seconds": 70}, 70), ("rate_limit_bare", {}, 60)],
    )
    def test_names_the_wait_that_upstream_asked_for(self, connect, simulator, kind, options, seconds):
        connection = connect()
        simulator.fault(kind, times=-1, **options)
        before = database_now()

        found = lifecycle.check_connection(connection, actor="alice")

        moment = re.fullmatch(r"Temporary: try again (?:at|on .+ at) (\d\d:\d\d:\d\d) UTC\.", found.remedy)
        due = before + dt.timedelta(seconds=seconds)
        assert moment
        assert moment[1] in {f"{due + dt.timedelta(seconds=n):%H:%M:%S}" for n in range(10)}
        assert found.retry_after_seconds == seconds

    def test_names_the_moment_of_the_place_and_its_end(self, forcing):
        found = lifecycle.check_connection(forcing, actor="alice")

        assert re.search(
            r"try again .*at [\d:]{8} UTC; your place is kept until .*at [\d:]{8} UTC", found.remedy
        )
