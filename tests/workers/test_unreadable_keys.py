"""Keys that one worker cannot open: left to the others at no cost, and the work goes on by itself."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from alerts.models import OutboxMessage
from integrations.models import Connection, Credential, Status
from workers import executor, lifecycle
from workers.bucket import Bucket, rate_of
from workers.clock import database_now
from workers.lanes import Seed, owner_key
from workers.lifecycle import NewConnection
from workers.models import Lane, SyncRun, SyncStep

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def namesake():
    """The ring of a worker whose key has the id of the right one, and is another."""
    key_id, _ = django_settings.CREDENTIAL_KEYS[0]
    return override_settings(CREDENTIAL_KEYS=((key_id, b"x" * 32),))


@pytest.fixture
def connection(connect) -> Connection:
    return connect()


def process_lane() -> None:
    """Give the only lane a turn."""
    Lane.objects.update(due_at=database_now())
    executor.process_lane(Lane.objects.get().pk)


def waits() -> float:
    """Return for how many seconds it waits now."""
    return (Lane.objects.get().due_at - database_now()).total_seconds()


def level() -> int:
    lane = Lane.objects.get()
    rate = rate_of(lane.family)
    return Bucket(owner_key(lane.organization_id, lane.family), rate).peek(Seed(rate.full_us)).level_us


class TestAnotherKeyUnderTheSameId:
    def test_leaves_the_connection_to_others_and_says_so(self, connection, namesake):
        with namesake:
            process_lane()

        connection.refresh_from_db()
        assert (connection.status, connection.reason) == (Status.DEGRADED, "key_unreadable")
        assert "CREDENTIAL_KEYS" in connection.remedy
        assert not OutboxMessage.objects.exists()

    def test_takes_no_token_and_asks_nothing(self, connection, namesake, simulator):
        before = level()

        with namesake:
            process_lane()

        assert level() >= before
        assert simulator.requests() == []

    def test_the_worker_with_the_right_one_goes_on_and_clears_the_trouble(
        self, connection, namesake, make_due
    ):
        with namesake:
            process_lane()
        make_due()

        process_lane()

        connection.refresh_from_db()
        assert (connection.status, connection.reason) == (Status.BACKFILLING, "")
        assert SyncRun.objects.get().steps_done > 0

    @pytest.mark.parametrize(("minutes", "seconds"), [(0, 3), (2, 12), (600, 30)])
    def test_waits_longer_the_longer_nobody_can_open_it(self, connection, namesake, minutes, seconds):
        SyncRun.objects.update(requested_at=database_now() - dt.timedelta(minutes=minutes))

        with namesake:
            process_lane()

        assert waits() == pytest.approx(seconds, abs=0.5)

    def test_testing_the_connection_in_such_a_process_changes_nothing_of_it(self, connection, namesake):
        before = connection.status

        with namesake:
            found = lifecycle.check_connection(connection, actor="alice")

        connection.refresh_from_db()
        assert found.reason == "key_unreadable"
        assert connection.status == before


class TestAKeyThatNobodyCanOpen:
    @pytest.fixture
    def other(self, connection, other_account, simulator) -> Connection:
        """A connection of another account to the same organisation; the key of the first one is past opening."""
        key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
        other = lifecycle.connect(other_account, NewConnection(key), actor="charlie")
        Credential.objects.filter(connection=connection).update(key_id="of-nobody")
        return other

    @pytest.mark.parametrize("minutes", [1, 20])
    def test_holds_up_no_other_connection_of_the_organisation(self, connection, other, minutes):
        """After ten minutes its run goes before all others, and still leaves the lane to them."""
        SyncRun.objects.filter(connection=connection).update(
            requested_at=database_now() - dt.timedelta(minutes=minutes)
        )

        process_lane()

        assert SyncRun.objects.get(connection=other).steps_done > 0
        connection.refresh_from_db()
        assert (connection.status, connection.reason) == (Status.DEGRADED, "key_unreadable")

    def test_shortens_no_wait_of_a_step_that_is_longer(self, connection):
        Credential.objects.update(key_id="of-nobody")
        later = database_now() + dt.timedelta(hours=1)
        waiting = SyncStep.objects.filter(run__connection=connection).latest("position")
        SyncStep.objects.filter(pk=waiting.pk).update(not_before=later)

        process_lane()

        waiting.refresh_from_db()
        assert waiting.not_before == later


def test_a_connection_without_any_stored_key_needs_a_person(connection):
    Credential.objects.all().delete()

    process_lane()

    connection.refresh_from_db()
    assert (connection.status, connection.reason) == (Status.ERROR, "key_unreadable")
