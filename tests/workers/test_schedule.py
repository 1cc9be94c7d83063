from __future__ import annotations

import datetime as dt
from uuid import UUID, uuid4

import pytest

from foundation.queues import key_of
from integrations.models import Connection
from workers import lanes, lifecycle, schedule, tasks
from workers.bucket import redis_client
from workers.clock import database_now
from workers.models import Lane, SyncRun, Trigger

ID = UUID(int=7)


class TestNextDaily:
    def test_is_today_before_the_time_and_tomorrow_after_it(self, settings):
        settings.DAILY_JITTER_SECONDS = 0
        morning = dt.datetime(2026, 11, 20, 5, 59, tzinfo=dt.UTC)

        assert schedule.next_daily(ID, after=morning) == dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
        assert schedule.next_daily(ID, after=morning + dt.timedelta(minutes=1)).day == 21

    def test_spreads_connections_and_keeps_each_in_its_place(self, settings):
        settings.DAILY_JITTER_SECONDS = 1800
        noon = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)

        moments = {schedule.next_daily(uuid4(), after=noon) for _ in range(50)}

        assert len(moments) > 40
        assert schedule.next_daily(ID, after=noon) == schedule.next_daily(ID, after=noon)

    def test_carries_a_late_jitter_over_midnight(self, settings):
        settings.DAILY_SYNC_UTC = dt.time(23, 59, tzinfo=dt.UTC)
        settings.DAILY_JITTER_SECONDS = 43_200
        after = dt.datetime(2026, 11, 20, 0, 0, 30, tzinfo=dt.UTC)

        assert after < schedule.next_daily(ID, after=after) <= after + dt.timedelta(days=1)


@pytest.mark.django_db(transaction=True)
class TestStartDue:
    @pytest.fixture
    def synced(self, connect, run_due) -> Connection:
        connection = connect()
        run_due()
        return connection

    def overdue(self, connection: Connection, **ago: float) -> None:
        due = database_now() - dt.timedelta(**ago)
        Connection.objects.filter(pk=connection.pk).update(next_sync_at=due)

    def test_reads_the_days_before_today_again(self, synced, run_due):
        self.overdue(synced, minutes=1)

        assert schedule.start_due() == 1

        run, today = SyncRun.objects.get(trigger=Trigger.DAILY), database_now().date()
        assert (run.from_day, run.to_day) == (today - dt.timedelta(days=7), today)

    def test_starts_a_day_once_however_often_it_is_due(self, synced):
        self.overdue(synced, minutes=1)
        schedule.start_due()
        self.overdue(synced, minutes=1)

        assert schedule.start_due() == 0
        assert SyncRun.objects.filter(trigger=Trigger.DAILY).count() == 1

    def test_catches_up_once_after_days_without_a_scheduler(self, synced):
        self.overdue(synced, days=3)

        schedule.start_due()

        synced.refresh_from_db()
        assert SyncRun.objects.filter(trigger=Trigger.DAILY).count() == 1
        assert synced.next_sync_at > database_now()

    def test_leaves_what_another_scheduler_has_started_to_it(self, synced, monkeypatch):
        """Two schedulers find it due; one starts it before midnight, and the other, after it, would for the next day."""
        self.overdue(synced, minutes=1)
        find, tomorrow = schedule._due_connections, database_now() + dt.timedelta(days=1)

        def found_and_late(**without: set[UUID]) -> list[Connection]:
            found = find(**without)
            monkeypatch.setattr(schedule, "_due_connections", find)
            schedule.start_due()
            monkeypatch.setattr(schedule, "database_now", lambda: tomorrow)
            return found

        monkeypatch.setattr(schedule, "_due_connections", found_and_late)
        started = schedule.start_due()

        synced.refresh_from_db()
        assert started == 0
        assert SyncRun.objects.get(trigger=Trigger.DAILY).to_day == database_now().date()
        assert synced.next_sync_at <= tomorrow

    def test_leaves_what_was_disconnected_meanwhile_alone(self, synced, monkeypatch):
        self.overdue(synced, minutes=1)
        find = schedule._due_connections

        def found_and_disconnected(**without: set[UUID]) -> list[Connection]:
            found = find(**without)
            lifecycle.disconnect(synced, erase=False, actor="alice")
            return found

        monkeypatch.setattr(schedule, "_due_connections", found_and_disconnected)
        started = schedule.start_due()

        synced.refresh_from_db()
        assert started == 0
        assert not SyncRun.objects.filter(trigger=Trigger.DAILY).exists()
        assert synced.next_sync_at is None

    def test_leaves_a_lane_to_its_holder(self, synced):
        """Made to wait, it would be claimed by a second worker while the first one's request is under way."""
        Lane.objects.update(state=Lane.State.WAITING, due_at=database_now())
        lease = lanes.claim(Lane.objects.get().pk)
        self.overdue(synced, minutes=1)

        assert schedule.start_due() == 1

        assert lease is not None
        assert Lane.objects.get().state == Lane.State.LEASED
        assert lanes.wake_due() == []

    def test_keeps_the_place_of_a_lane_that_has_waited_longer(self, synced):
        since = database_now() - dt.timedelta(hours=1)
        Lane.objects.update(state=Lane.State.WAITING, due_at=since)
        self.overdue(synced, minutes=1)

        schedule.start_due()

        assert Lane.objects.get().due_at == since

    def test_leaves_paused_and_disconnected_connections_alone(self, synced):
        lifecycle.pause(synced, actor="alice")
        self.overdue(synced, minutes=1)
        assert schedule.start_due() == 0

        lifecycle.disconnect(synced, erase=False, actor="alice")
        assert schedule.start_due() == 0

    def test_makes_no_lane_of_an_organisation_that_was_erased_since_it_was_found_due(self, connect):
        connection = connect()
        self.overdue(connection, minutes=1)
        batch = schedule._due_connections(without=set())
        lifecycle.disconnect(connection, erase=True, actor="alice")

        schedule._start(batch)

        assert not Lane.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestTick:
    def test_wakes_lanes_though_a_daily_run_cannot_be_started(self, connect, run_due):
        """A row that nobody foresaw must not stop the work of everybody else, second after second."""
        broken = connect()
        run_due()
        Connection.objects.filter(pk=broken.pk).update(
            settled_through=dt.date.max, next_sync_at=database_now() - dt.timedelta(minutes=1)
        )
        waiting = connect("birch-logistics").runs.get().lane

        with pytest.raises(OverflowError):
            tasks.tick()

        waiting.refresh_from_db()
        assert waiting.state == Lane.State.WOKEN
        assert redis_client().llen(key_of("lanes")) == 1

    def test_wakes_the_lane_of_a_daily_run_at_once(self, connect, run_due):
        connection = connect()
        run_due()
        Connection.objects.filter(pk=connection.pk).update(next_sync_at=database_now())

        assert tasks.tick() == {"daily": 1, "woken": 1}

        assert Lane.objects.get().state == Lane.State.WOKEN
