"""Days that a pause, a broken key, a failed window or a clock at midnight left open are found and read by themselves."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from accounts.models import Plan
from costs import freshness
from costs.coverage import Coverage, Scope, read_coverage
from costs.models import CostFact, DayDigest
from foundation.periods import DayRange
from integrations.anthropic import report_specs, wire
from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.anthropic.reports.classic_cost import cost_report_request
from integrations.errors import Fate, Reason, UpstreamError, advice
from integrations.models import Connection, Status
from workers import executor, lanes, lifecycle, schedule, windows
from workers.clock import database_now
from workers.lifecycle import ConnectionStandsStillError, NewConnection, RangeError
from workers.models import SyncRun, SyncStep, Trigger

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def a_month(account):
    account.plan = Plan.FREE
    account.save()


def forget(connection: Connection, *ages: int) -> None:
    """Make the days of so many days ago missing, as if nobody had been there to read them."""
    days = [database_now().date() - age * DAY for age in ages]
    DayDigest.objects.filter(connection=connection, day__in=days).delete()
    CostFact.objects.filter(connection=connection, day__in=days).delete()
    wanted = DayRange(connection.wanted_from, database_now().date())
    settled = freshness.settled_through(connection.pk, wanted)["cost_report"]
    Connection.objects.filter(pk=connection.pk).update(settled_through=settled)
    connection.refresh_from_db()


def due(connection: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(next_sync_at=database_now())


def covered(connection: Connection) -> Coverage:
    today = database_now().date()
    return read_coverage(Scope(connection.account_id, DayRange(connection.wanted_from, today), today))


def missing(connection: Connection) -> list[dt.date]:
    return list(covered(connection).missing_days)


class TestDaily:
    def test_reads_the_days_a_stopped_service_left_out(self, connect, run_due):
        connection = connect()
        run_due()
        forget(connection, *range(1, 20))
        due(connection)

        run_due()

        assert missing(connection) == []

    def test_reads_a_failed_window_again_and_not_the_settled_months_between(self, account, connect, run_due):
        account.plan = Plan.PRO
        account.save()
        connection = connect()
        run_due()
        forget(connection, 300)
        due(connection)

        run_due()

        daily = SyncRun.objects.get(trigger=Trigger.DAILY)
        assert missing(connection) == []
        # The trailing window, the one with the hole, and the names.
        assert daily.steps.count() == 3

    def test_ends_where_every_day_was_read_after_its_window(self, connect, run_due):
        connection = connect()
        run_due()

        connection.refresh_from_db()

        # Eight days ago was read when nothing could change it any more; seven days ago just so.
        assert connection.settled_through == database_now().date() - 7 * DAY

    def test_leaves_the_days_of_an_open_backfill_to_it(self, connect):
        connection = connect()
        due(connection)

        schedule.start_due()

        daily = SyncRun.objects.get(trigger=Trigger.DAILY)
        assert (daily.to_day - daily.from_day).days == 7


class TestForce:
    def test_of_one_old_day_does_not_hide_the_days_before_it(self, connect, run_due):
        connection = connect()
        run_due()
        forget(connection, *range(1, 20))
        old = database_now().date() - 25 * DAY
        lifecycle.force_sync(connection, DayRange(old, old + DAY), actor="alice")
        run_due()
        due(connection)

        run_due()

        assert missing(connection) == []

    def test_of_one_old_day_does_not_stand_for_the_sync_of_today(self, connect):
        connection = connect()
        old = database_now().date() - 25 * DAY
        _one, _ = lifecycle.force_sync(connection, DayRange(old, old + DAY), actor="alice")

        other, created = lifecycle.force_sync(connection, None, actor="alice")

        assert created
        assert other.to_day == database_now().date() + DAY

    @pytest.mark.parametrize(("start", "end", "words"), [(0, 0, "no day"), (5, 6, "not begun")])
    def test_refuses_a_range_that_cannot_be(self, connect, start, end, words):
        today = database_now().date()

        with pytest.raises(RangeError, match=words):
            lifecycle.force_sync(connect(), DayRange(today + start * DAY, today + end * DAY), actor="alice")

    def test_refuses_more_days_than_one_run_may_have(self, connect):
        today = database_now().date()
        connection = connect()
        Connection.objects.update(wanted_from=today - 900 * DAY)

        with pytest.raises(RangeError, match="At most 731 days"):
            lifecycle.force_sync(connection, DayRange(today - 800 * DAY, today), actor="alice")


class TestInterruptedBackfill:
    def test_also_reads_the_days_that_passed_while_it_was_paused(self, connect, run_due):
        connection = connect()
        lifecycle.pause(connection, actor="alice")
        # As if the pause had begun 20 days ago.
        run = SyncRun.objects.get()
        SyncStep.objects.filter(run=run).delete()
        run.from_day, run.to_day = run.from_day, run.to_day - 20 * DAY
        from workers.runs import plan

        plan(run)
        run.save()

        lifecycle.resume(connection, actor="alice")
        run_due()

        assert missing(connection) == []


class TestCutShort:
    def test_answer_that_stops_before_days_long_over_is_not_believed(
        self, connect, simulator, run_due, monkeypatch
    ):
        connection = connect()
        original = wire.read_envelope

        def first_ten(document, cursor_field):
            envelope = original(document, cursor_field)
            return replace(envelope, rows=envelope.rows[:10]) if cursor_field == "next_page" else envelope

        monkeypatch.setattr(wire, "read_envelope", first_ten)
        run_due()

        connection.refresh_from_db()
        assert DayDigest.objects.count() == 0
        assert (connection.status, connection.reason) == (Status.DEGRADED, "upstream_unreadable")


class TestOneWindowThatAlwaysFails:
    def test_stays_visible_after_it_was_given_up_while_the_run_goes_on(
        self, account, connect, simulator, run_due
    ):
        account.plan = Plan.PRO
        account.save()
        connection = connect()
        simulator.fault("bad_amount", path="/v1/organizations/cost_report")
        SyncStep.objects.filter(position=0).update(failures=7)

        (lane_id,) = lanes.wake_due()
        executor.process_lane(lane_id)

        connection.refresh_from_db()
        assert set(SyncStep.objects.values_list("status", flat=True)) == {"failed", "done", "queued"}
        assert (connection.status, connection.reason) == (Status.DEGRADED, "upstream_unreadable")

    def test_does_not_hold_up_another_connection_of_the_organisation(
        self, connect, other_account, simulator, run_due, make_due
    ):
        connection = connect()
        key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
        other = lifecycle.connect(other_account, NewConnection(key), actor="charlie")
        run_due()
        SyncRun.objects.all().delete()
        old = database_now().date() - 25 * DAY
        lifecycle.force_sync(connection, DayRange(old, old + DAY), actor="alice")
        simulator.fault("status", status=504, path="/v1/organizations/cost_report", times=1)
        run_due()
        due(other)

        run_due()

        # Nobody waited for the failed window's own next attempt.
        assert SyncRun.objects.get(trigger=Trigger.DAILY).connection == other
        make_due_lane_only()
        run_due()
        assert SyncRun.objects.get(trigger=Trigger.DAILY).status == SyncRun.Status.SUCCEEDED
        assert SyncRun.objects.get(trigger=Trigger.FORCE).status != SyncRun.Status.SUCCEEDED


def make_due_lane_only() -> None:
    from workers.models import Lane

    Lane.objects.exclude(state=Lane.State.IDLE).update(due_at=database_now())


class TestHistoryFloor:
    def test_is_learnt_and_wanted_no_more(self, account, connect, simulator, run_due):
        account.plan = Plan.PRO
        account.save()
        connection = connect()
        simulator.fault(
            "status", status=400, type="invalid_request_error", after=11, path="/v1/organizations/cost_report",
            message="starting_at must be on or after 2026-01-01",
        )  # fmt: skip

        run_due()

        connection.refresh_from_db()
        assert SyncRun.objects.get().status == SyncRun.Status.SUCCEEDED
        assert SyncStep.objects.filter(status=SyncStep.Status.SKIPPED, reason="history_floor").count() == 1
        assert connection.settled_through == database_now().date() - 7 * DAY
        assert {gap.reason for gap in covered(connection).missing} == {"before_api"}


class TestNames:
    def test_that_cannot_be_read_do_not_fail_the_costs(self, connect, simulator, run_due, make_due):
        connection = connect()
        simulator.fault("status", status=404, path="/v1/organizations/workspaces", times=-1)

        for _ in range(9):
            run_due()
            make_due()

        connection.refresh_from_db()
        assert SyncRun.objects.get().status == SyncRun.Status.SUCCEEDED
        assert connection.last_synced_at is not None


class TestDisconnectedMeanwhile:
    def test_rotation_stores_no_key(self, connect, simulator, monkeypatch):
        from integrations.models import Credential

        connection = connect()
        new_key = simulator.world("acorn-studio", "new_key")["key"]
        original = lifecycle.check_key

        def slow(*arguments, **who):
            found = original(*arguments, **who)
            lifecycle.disconnect(connection, erase=False, actor="bob")
            return found

        monkeypatch.setattr(lifecycle, "check_key", slow)

        with pytest.raises(ConnectionStandsStillError, match="disconnected"):
            lifecycle.rotate_key(connection, new_key, actor="alice")
        assert Credential.objects.count() == 0


class TestTestRateLimited:
    def test_is_obeyed_by_everybody(self, connect, simulator):
        from workers import lanes
        from workers.bucket import Bucket, rate_of

        connection = connect()
        simulator.fault("rate_limit_retry_after", seconds=300, times=-1)

        lifecycle.check_connection(connection, actor="alice")

        owner = lanes.owner_key(connection.organization_id, "classic")
        seed = lanes.seed_of(connection.organization_id, "classic")
        answer = Bucket(owner, rate_of("classic")).acquire(seed)
        assert not answer.granted
        assert answer.wait_seconds > 290


class TestAWindowThatIsNeverWhole:
    """Its pages arrive one by one and are worth nothing in the end, again and again."""

    @pytest.fixture(autouse=True)
    def two_pages(self, monkeypatch):
        halves = replace(
            REPORT_SPECS["cost_report"], _first_page=lambda window: cost_report_request(window, 16)
        )
        monkeypatch.setitem(report_specs.REPORT_SPECS, "cost_report", halves)

    def drive(self, run_due, make_due) -> list[SyncStep]:
        """Let the time of twenty waits pass; return the window as it was after each."""
        seen = []
        for _ in range(20):
            run_due()
            seen.append(SyncStep.objects.filter(report_name="cost_report").earliest("pk"))
            make_due()
        return seen

    def test_is_given_up_though_its_first_page_is_read_each_time(self, connect, simulator, run_due, make_due):
        connection = connect()
        simulator.fault("bad_amount", path="/v1/organizations/cost_report", times=-1)

        seen = self.drive(run_due, make_due)

        connection.refresh_from_db()
        assert [step.failures for step in seen[:7]] == [1, 2, 3, 4, 5, 6, 7]
        assert (seen[-1].status, seen[-1].attempt) == (SyncStep.Status.FAILED, 9)
        assert SyncRun.objects.get().status == SyncRun.Status.FAILED
        assert (connection.status, connection.reason) == (Status.DEGRADED, "upstream_unreadable")

    def test_is_given_up_when_its_pages_are_of_different_refreshes_for_ever(
        self, connect, simulator, run_due, make_due, monkeypatch
    ):
        def moved(_step: SyncStep) -> None:
            raise UpstreamError.told(advice(Reason.UPSTREAM_UNAVAILABLE, cause="refreshed"), Fate.RESTART)

        connection = connect()
        monkeypatch.setattr(windows, "read", moved)

        seen = self.drive(run_due, make_due)

        connection.refresh_from_db()
        assert seen[-1].status == SyncStep.Status.FAILED
        assert (connection.status, connection.reason) == (Status.DEGRADED, "upstream_unavailable")

    def test_is_asked_again_at_once_when_its_data_was_refreshed_in_between(
        self, connect, run_due, monkeypatch
    ):
        connection, read, moved = connect(), windows.read, []

        def move_once(step: SyncStep) -> object:
            if step.report_name == "cost_report" and not moved:
                moved.append(step)
                raise UpstreamError.told(advice(Reason.UPSTREAM_UNAVAILABLE, cause="refreshed"), Fate.RESTART)
            return read(step)

        monkeypatch.setattr(windows, "read", move_once)
        run_due()

        connection.refresh_from_db()
        step = SyncStep.objects.filter(report_name="cost_report").earliest("pk")
        assert (step.status, step.attempt, step.failures) == (SyncStep.Status.DONE, 2, 0)
        assert (connection.status, connection.reason) == (Status.ACTIVE, "")

    def test_forgets_a_failed_request_with_the_next_page(self, connect, simulator, run_due, make_due):
        connect()
        simulator.fault("server_error", path="/v1/organizations/cost_report", after=1)

        run_due()
        troubled = SyncStep.objects.filter(report_name="cost_report").earliest("pk")
        make_due()
        run_due()

        troubled_pages = troubled.pages.count()
        troubled.refresh_from_db()
        assert (troubled.attempt, troubled.failures, troubled_pages) == (1, 0, 2)
