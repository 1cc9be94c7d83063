from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection as database

from accounts.models import AuditEvent, Plan
from costs.models import CostFact, DayDigest
from foundation.periods import DayRange
from integrations.models import Status
from workers import lanes, lifecycle, plans
from workers.clock import database_now
from workers.lifecycle import HistoryFloorError
from workers.models import Lane, SyncRun, Trigger

pytestmark = pytest.mark.django_db(transaction=True)


def days_ago(days: int) -> dt.date:
    return database_now().date() - dt.timedelta(days=days)


@pytest.fixture
def change_plan(account):
    def change(plan: Plan) -> None:
        account.plan = plan
        account.save()

    return change


@pytest.fixture
def free(change_plan, connect, run_due):
    """A connection of a Free account, filled as far back as that plan goes."""
    change_plan(Plan.FREE)
    connection = connect()
    run_due()
    connection.refresh_from_db()
    assert connection.status == Status.ACTIVE
    return connection


class TestLargerPlan:
    def test_queues_the_older_days_alone(self, free, change_plan):
        wanted = free.wanted_from
        change_plan(Plan.PRO)

        assert plans.follow() == 1

        run = SyncRun.objects.get(trigger=Trigger.CONNECT, status=SyncRun.Status.QUEUED)
        assert (run.from_day, run.to_day) == (days_ago(365), wanted)
        free.refresh_from_db()
        assert free.status == Status.BACKFILLING

    def test_fetches_them_by_itself(self, free, change_plan, run_due):
        change_plan(Plan.PRO)
        plans.follow()

        run_due()

        free.refresh_from_db()
        stored = DayDigest.objects.filter(connection=free, source=free.cost_source)
        assert stored.count() == 366
        assert free.status == Status.ACTIVE
        assert free.settled_through == days_ago(7)

    def test_is_not_settled_before_they_are_there(self, free, change_plan):
        change_plan(Plan.PRO)
        plans.follow()

        free.refresh_from_db()
        assert free.settled_through is None
        assert free.wanted_from == days_ago(365)

    def test_is_followed_once(self, free, change_plan):
        change_plan(Plan.PRO)
        plans.follow()

        assert plans.follow() == 0
        assert SyncRun.objects.filter(trigger=Trigger.CONNECT).count() == 2

    def test_is_followed_once_by_two_watches_at_once(self, free, change_plan):
        change_plan(Plan.PRO)

        with ThreadPoolExecutor(2) as pool:
            followed = list(pool.map(lambda _: _and_close(plans.follow), range(2)))

        assert sorted(followed) == [0, 1]
        assert SyncRun.objects.filter(trigger=Trigger.CONNECT).count() == 2

    def test_of_a_paused_connection_waits_for_the_person(self, free, change_plan, run_due):
        lifecycle.pause(free, actor="alice")
        change_plan(Plan.PRO)
        plans.follow()
        run_due()
        free.refresh_from_db()
        assert free.status == Status.PAUSED

        lifecycle.resume(free, actor="alice")
        run_due()

        assert DayDigest.objects.filter(connection=free).count() == 366

    def test_of_a_disconnected_one_fetches_nothing(self, free, change_plan):
        lifecycle.disconnect(free, erase=False, actor="alice")
        change_plan(Plan.PRO)

        assert plans.follow() == 0

    def test_is_in_the_audit_log(self, free, change_plan):
        change_plan(Plan.PRO)
        plans.follow()

        event = AuditEvent.objects.get(action="connection.deepened")
        assert event.target_id == str(free.pk)
        assert event.changes["from_day"] == str(days_ago(365))

    def test_lets_a_person_ask_for_older_days_at_once(self, free, change_plan):
        change_plan(Plan.PRO)

        run, created = lifecycle.force_sync(free, DayRange(days_ago(300), days_ago(299)), actor="alice")

        assert created
        assert run.from_day == days_ago(300)

    def test_leaves_nothing_of_a_connection_that_was_erased_meanwhile(self, free, change_plan, monkeypatch):
        change_plan(Plan.PRO)
        take = lanes.ensure_and_hold

        def erased_before(organization_id, families):
            lifecycle.disconnect(free, erase=True, actor="alice")
            return take(organization_id, families)

        monkeypatch.setattr(lanes, "ensure_and_hold", erased_before)

        assert plans.follow() == 0
        assert not Lane.objects.exists()


class TestSmallerPlan:
    def test_hides_and_deletes_nothing(self, change_plan, connect, run_due):
        connection = connect()
        run_due()
        facts = CostFact.objects.count()
        change_plan(Plan.FREE)

        assert plans.follow() == 0

        connection.refresh_from_db()
        assert CostFact.objects.count() == facts
        assert connection.wanted_from == days_ago(365)

    def test_still_reads_the_days_that_it_has(self, change_plan, connect, run_due):
        connection = connect()
        run_due()
        change_plan(Plan.FREE)

        _, created = lifecycle.force_sync(connection, DayRange(days_ago(365), days_ago(364)), actor="alice")

        assert created


class TestForcedSync:
    def test_of_the_first_day_of_the_plan_is_queued(self, free):
        run, _ = lifecycle.force_sync(free, DayRange(days_ago(30), days_ago(29)), actor="alice")

        assert run.from_day == days_ago(30)

    def test_of_the_day_before_names_the_first_one_allowed(self, free):
        with pytest.raises(HistoryFloorError, match=str(days_ago(30))) as caught:
            lifecycle.force_sync(free, DayRange(days_ago(31), days_ago(29)), actor="alice")

        assert caught.value.first_allowed == days_ago(30)
        assert not SyncRun.objects.filter(trigger=Trigger.FORCE).exists()


def _and_close(call):
    try:
        return call()
    finally:
        database.close()
