"""Two things at one moment: an answer under way while people act, two people at once, a lane locked while others wait."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.models import Count, Sum

from accounts.models import AuditEvent, Plan
from alerts.models import OutboxMessage
from costs.models import CostFact, Resource
from integrations.anthropic.client import AnthropicClient
from integrations.models import Connection, Credential, Report, Status
from tests.others import Other, at_once
from workers import executor, lanes, lifecycle, outcomes, runs, schedule
from workers.clock import database_now
from workers.lifecycle import ConnectionStandsStillError
from workers.models import Lane, SyncRun, SyncStep, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

_PATIENCE_SECONDS = 20


def stranded() -> list[str]:
    """Name the lanes that nobody would ever look at although a step of theirs could be done."""
    idle = Lane.objects.filter(state=Lane.State.IDLE)
    return [str(lane) for lane in idle if runs.open_steps(lane.pk).exists()]


@pytest.fixture
def under_way(monkeypatch) -> Callable[[Callable[[], Any]], None]:
    """Do something once, after upstream has answered a request and before anything of the answer is written."""

    def arrange(act: Callable[[], Any]) -> None:
        original, left = AnthropicClient.fetch, [act]

        def fetch(self, request):
            page = original(self, request)
            if left:
                left.pop()()
            return page

        monkeypatch.setattr(AnthropicClient, "fetch", fetch)

    return arrange


class TestBrokenWhileAnAnswerIsUnderWay:
    def test_stays_broken_until_a_person_mends_it(self, connect, run_due, simulator, under_way):
        """The request left before the key was revoked; its answer says nothing of the key there is now."""
        connection = connect()

        def revoke() -> None:
            simulator.fault("revoked", times=-1)
            lifecycle.check_connection(connection, actor="alice")

        under_way(revoke)
        run_due()

        connection.refresh_from_db()
        assert (connection.status, connection.reason) == (Status.ERROR, "key_rejected")
        assert OutboxMessage.objects.filter(kind="connection.needs_you").count() == 1
        assert not OutboxMessage.objects.filter(kind="connection.recovered").exists()

    def test_is_told_once_though_both_lanes_hear_it(self, connect, simulator, settings, monkeypatch):
        settings.REPORTS_OFF = frozenset()
        connect()
        classic, analytics = Lane.objects.order_by("-family")
        original, left = AnthropicClient.fetch, [classic.pk]

        def refused_meanwhile(self, request):
            if left:
                executor.process_lane(left.pop())
            return original(self, request)

        simulator.fault("revoked", times=-1)
        lanes.wake_due()
        monkeypatch.setattr(AnthropicClient, "fetch", refused_meanwhile)
        executor.process_lane(analytics.pk)

        assert OutboxMessage.objects.filter(kind="connection.needs_you").count() == 1

    def test_strands_no_step_on_another_lane(self, connect, run_due, simulator, under_way, settings):
        settings.REPORTS_OFF = frozenset()
        connection = connect()
        classic, analytics = Lane.objects.order_by("-family")

        def revoke_and_rest() -> None:
            simulator.fault("revoked", path="cost_report", times=-1)
            executor.process_lane(classic.pk)
            classic.refresh_from_db()

        under_way(revoke_and_rest)
        lanes.wake_due()
        executor.process_lane(analytics.pk)

        connection.refresh_from_db()
        assert classic.state == Lane.State.IDLE
        assert connection.status == Status.ERROR
        assert stranded() == []


class TestPausedWhileAnAnswerIsUnderWay:
    def test_stays_paused_though_the_backfill_ends_without_a_row(self, connect, run_due, under_way):
        connection = connect("dormant-labs")
        Connection.objects.update(wanted_from=database_now().date())
        last = SyncRun.objects.get().steps.order_by("position").last()
        SyncRun.objects.get().steps.exclude(pk=last.pk).update(status="done")

        under_way(lambda: lifecycle.pause(connection, actor="alice"))
        run_due()

        connection.refresh_from_db()
        assert SyncRun.objects.get().status == SyncRun.Status.SUCCEEDED
        assert connection.status == Status.PAUSED

    @pytest.mark.parametrize("kind", ["server_error", "rate_limit_bare", "bad_amount", "revoked"])
    def test_stays_paused_whatever_is_wrong_with_the_answer(
        self, connect, run_due, simulator, monkeypatch, kind
    ):
        """It was asked for before the pause; who resumes it finds out by asking again."""
        connection = connect()
        simulator.fault(kind, path="cost_report", times=-1)
        original = AnthropicClient.fetch

        def paused_meanwhile(self, request):
            lifecycle.pause(Connection.objects.get(), actor="alice")
            return original(self, request)

        monkeypatch.setattr(AnthropicClient, "fetch", paused_meanwhile)
        run_due()

        connection.refresh_from_db()
        assert (connection.status, connection.reason) == (Status.PAUSED, "")
        assert not OutboxMessage.objects.filter(kind="connection.needs_you").exists()

    def test_stays_paused_though_its_last_window_is_given_up(self, connect, run_due, simulator, under_way):
        connection = connect()
        bill = SyncStep.objects.filter(report_name="cost_report").order_by("position").last()
        SyncStep.objects.exclude(pk=bill.pk).update(status="done")
        SyncStep.objects.update(failures=7)
        simulator.fault("bad_amount", path="cost_report", times=-1)

        under_way(lambda: lifecycle.pause(connection, actor="alice"))
        run_due()

        connection.refresh_from_db()
        assert SyncRun.objects.get().status == SyncRun.Status.FAILED
        assert (connection.status, connection.reason) == (Status.PAUSED, "")

    def test_asks_a_refused_bill_again_when_resumed(self, connect, run_due, simulator, monkeypatch):
        connection = connect()
        simulator.fault("missing_scope", path="cost_report", times=1)
        original = AnthropicClient.fetch

        def paused_meanwhile(self, request):
            lifecycle.pause(Connection.objects.get(), actor="alice")
            return original(self, request)

        monkeypatch.setattr(AnthropicClient, "fetch", paused_meanwhile)
        run_due()
        monkeypatch.undo()
        SyncRun.objects.update(status=SyncRun.Status.CANCELLED)

        lifecycle.resume(connection, actor="alice")
        run_due()

        connection.refresh_from_db()
        assert not Report.objects.get(report_name="cost_report").is_refused
        assert SyncRun.objects.get(trigger=Trigger.REREAD).steps.filter(report_name="cost_report").exists()
        assert connection.status == Status.ACTIVE


class TestFamilyTurnedOffMeanwhile:
    def test_its_open_steps_are_found_again_after_a_pause(self, connect, run_due, settings):
        settings.REPORTS_OFF, off = frozenset(), settings.REPORTS_OFF
        connection = connect()
        lifecycle.pause(connection, actor="alice")
        run_due()
        settings.REPORTS_OFF = off

        lifecycle.resume(connection, actor="alice")

        assert stranded() == []
        run_due()
        connection.refresh_from_db()
        assert connection.status == Status.ACTIVE


class TestErasedWhileItIsConnectedElsewhere:
    def test_makes_the_lanes_anew_that_went_with_the_last_connection(self, connect, monkeypatch):
        connection = connect()
        hold = lanes.hold

        def erased_before(organization_id, families):
            monkeypatch.setattr(lanes, "hold", hold)
            lifecycle.disconnect(connection, erase=True, actor="alice")
            return hold(organization_id, families)

        monkeypatch.setattr(lanes, "hold", erased_before)
        with transaction.atomic():
            held = lanes.ensure_and_hold(connection.organization_id, ["classic"])

        assert [lane.pk for lane in held] == [Lane.objects.get().pk]
        assert not Connection.objects.exists()


class TestTwoPeopleAtOnce:
    def test_reconnect_and_pause_do_not_wait_for_each_other_for_ever(self, connect, monkeypatch):
        """Whoever locked the connection before its lanes would deadlock with whoever keeps to the order."""
        connection = connect()
        lifecycle.disconnect(connection, erase=False, actor="alice")
        others: list[Other] = []
        original = lifecycle.connections.store

        def stored(*what: Any, **how: Any) -> Connection:
            again = original(*what, **how)
            others.append(Other(lambda: lifecycle.pause(Connection.objects.get(), actor="bob")))
            others[0].wait_until_blocked()
            return again

        monkeypatch.setattr(lifecycle.connections, "store", stored)
        connect()
        others[0].join()

        assert others[0].error is None or isinstance(others[0].error, ConnectionStandsStillError)
        assert not stranded()


class TestSecondPerson:
    """Acts on the same connection while the first has not committed yet, each with a copy of the row read before."""

    @pytest.fixture
    def live(self, connect) -> Connection:
        return connect(label="Main")

    @pytest.fixture
    def stale(self, live) -> Connection:
        return Connection.objects.select_related("account").get(pk=live.pk)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("pause", lambda stale: lifecycle.force_sync(stale, None, actor="bob")),
            ("disconnect", lambda stale: lifecycle.pause(stale, actor="bob")),
            ("disconnect", lambda stale: lifecycle.resume(stale, actor="bob")),
            ("disconnect", lambda stale: lifecycle.force_sync(stale, None, actor="bob")),
            ("disconnect", lambda stale: lifecycle.edit(stale, label="Other", actor="bob")),
            ("erase", lambda stale: lifecycle.edit(stale, label="Other", actor="bob")),
            ("erase", lambda stale: lifecycle.resume(stale, actor="bob")),
        ],
    )
    def test_is_refused_what_the_first_has_ended(self, live, stale, first, second):
        deeds = {
            "pause": lambda: lifecycle.pause(live, actor="alice"),
            "disconnect": lambda: lifecycle.disconnect(live, erase=False, actor="alice"),
            "erase": lambda: lifecycle.disconnect(live, erase=True, actor="alice"),
        }

        refused = at_once(deeds[first], lambda: second(stale))

        assert isinstance(refused, ConnectionStandsStillError)
        assert stranded() == []

    def test_leaves_no_key_behind_that_is_rotated_while_the_first_disconnects(self, live, stale, simulator):
        key = simulator.world("acorn-studio", "new_key")["key"]

        refused = at_once(
            lambda: lifecycle.disconnect(live, erase=False, actor="alice"),
            lambda: lifecycle.rotate_key(stale, key, actor="bob"),
        )

        assert isinstance(refused, ConnectionStandsStillError)
        assert not Credential.objects.exists()

    def test_leaves_no_run_open_that_was_asked_for_just_before_the_end(self, live, stale):
        refused = at_once(
            lambda: lifecycle.force_sync(live, None, actor="alice"),
            lambda: lifecycle.disconnect(stale, erase=False, actor="bob"),
        )

        assert refused is None
        assert not SyncRun.objects.filter(status__in=SyncRun.ACTIVE).exists()

    @pytest.mark.parametrize(
        ("deed", "action"),
        [
            (lambda row, who: lifecycle.pause(row, actor=who), "connection.paused"),
            (lambda row, who: lifecycle.disconnect(row, erase=False, actor=who), "connection.disconnected"),
            (lambda row, who: lifecycle.disconnect(row, erase=True, actor=who), "connection.erased"),
            (lambda row, who: lifecycle.force_sync(row, None, actor=who), "connection.sync_forced"),
        ],
        ids=["pause", "disconnect", "erase", "force_sync"],
    )
    def test_changes_nothing_by_the_same_deed(self, live, stale, deed, action):
        refused = at_once(lambda: deed(live, "alice"), lambda: deed(stale, "bob"))

        assert refused is None
        assert list(AuditEvent.objects.filter(action=action).values_list("actor", flat=True)) == ["alice"]

    def test_resumes_once(self, live, stale, run_due):
        run_due()
        lifecycle.pause(live, actor="alice")

        refused = at_once(
            lambda: lifecycle.resume(live, actor="alice"), lambda: lifecycle.resume(stale, actor="bob")
        )

        assert refused is None
        assert SyncRun.objects.filter(trigger=Trigger.REREAD).count() == 1
        assert AuditEvent.objects.filter(action="connection.resumed").count() == 1

    def test_cancels_no_run_that_the_first_has_cancelled(self, live):
        run, again = (SyncRun.objects.select_related("connection", "lane").get() for _ in range(2))
        ended: list[bool] = []

        refused = at_once(
            lambda: runs.cancel(run, now=database_now()),
            lambda: ended.append(runs.cancel(again, now=database_now())),
        )

        assert refused is None
        assert ended == [False]


class TestTwoLanesOfOneConnection:
    """Each sees its own rows only until the other has committed."""

    @pytest.fixture
    def at_once(self, account, connect, settings, monkeypatch) -> Callable[..., list[Exception | None]]:
        """End one window of each lane: that of the first has written its rows when the second one begins to."""

        def end(*names: str) -> list[Exception | None]:
            SyncStep.objects.exclude(report_name__in=names).update(status="done")
            first, second = (Lane.objects.get(runs__steps__report_name=name) for name in names)
            lanes.wake_due()
            written, released = threading.Event(), threading.Event()

            def wait_after_writing(point: str) -> None:
                if point == "facts-written" and not written.is_set():
                    written.set()
                    released.wait(_PATIENCE_SECONDS)

            monkeypatch.setattr(outcomes, "failpoint", wait_after_writing)
            others = [Other(lambda: executor.process_lane(first.pk))]
            try:
                assert written.wait(_PATIENCE_SECONDS)
                others.append(Other(lambda: executor.process_lane(second.pk)))
                others[1].wait_until_blocked()
            finally:
                released.set()
                for other in others:
                    other.join()
            return [other.error for other in others]

        settings.REPORTS_OFF = frozenset()
        account.plan = Plan.FREE
        account.save()
        connect()
        return end

    @pytest.mark.parametrize(
        "names", [("cost_report", "analytics_usage"), ("analytics_usage", "cost_report")]
    )
    def test_share_the_bill_though_both_windows_end_at_once(self, at_once, names):
        """One has the bill, the other the counts it is shared by."""
        Report.objects.filter(report_name="analytics_cost").update(is_refused=True)

        assert at_once(*names) == [None, None]

        days = CostFact.objects.order_by("day").values_list("day").annotate(sum=Sum("amount_usd"))
        assert days.filter(source="allocated").exists()
        assert list(days.filter(source="allocated")) == list(days.filter(source="cost_report"))

    @pytest.mark.parametrize("names", [("users", "analytics_cost"), ("analytics_cost", "users")])
    def test_learn_each_name_once_though_both_hear_it(self, at_once, names):
        assert at_once(*names) == [None, None]

        assert set(SyncStep.objects.values_list("status", flat=True)) == {SyncStep.Status.DONE}
        assert Resource.objects.filter(kind="person").exists()
        assert not Resource.objects.annotate(known=Count("names")).exclude(known=1).exists()


class TestDailyWhileALaneIsLocked:
    def test_leaves_that_one_for_the_next_tick_and_starts_the_others(self, connect, run_due):
        """One window that takes long to write must not keep every other lane from being woken."""
        busy, free = connect(), connect("birch-logistics")
        run_due()
        Connection.objects.update(next_sync_at=database_now())
        released = threading.Event()

        def write_for_long() -> None:
            with transaction.atomic():
                lanes.hold(busy.organization_id, ["classic"])
                locked.set()
                released.wait(_PATIENCE_SECONDS)

        locked = threading.Event()
        other = Other(write_for_long)
        assert locked.wait(_PATIENCE_SECONDS)
        with database.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        try:
            started = schedule.start_due()
        finally:
            released.set()
            other.join()
            database.close()

        daily = SyncRun.objects.filter(trigger=Trigger.DAILY)
        assert started == 1
        assert daily.get().connection == free
        assert schedule.start_due() == 1
        assert daily.filter(connection=busy).count() == 1


class TestDailyOnAWaitingLane:
    def test_does_not_wait_for_the_backoff_of_another_step(self, connect, run_due):
        connection = connect()
        run_due()
        later = database_now() + dt.timedelta(hours=1)
        Lane.objects.update(state=Lane.State.WAITING, due_at=later)
        Connection.objects.filter(pk=connection.pk).update(next_sync_at=database_now())

        schedule.start_due()

        assert len(lanes.wake_due()) == 1
