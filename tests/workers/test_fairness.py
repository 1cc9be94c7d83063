"""Who goes first in a lane, and that nobody goes first for ever."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.models import F

from accounts.models import Plan
from workers import executor, lifecycle
from workers.clock import database_now
from workers.models import Lane, SyncRun, SyncStep, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def year(account, connect, settings, monkeypatch):
    """A backfill of a year; a turn makes one request, as when there is one token a minute."""
    monkeypatch.setattr(executor, "REQUESTS_A_LEASE", 1)
    settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 60_000, 10_000
    account.plan = Plan.PRO
    account.save()
    return connect()


def minutes_pass(count: int) -> None:
    """Set every time that a run remembers back, as if it were so much later now."""
    for name in ("requested_at", "started_at", "last_request_at", "last_progress_at"):
        SyncRun.objects.filter(**{f"{name}__isnull": False}).update(**{name: F(name) - count * MINUTE})


def one_minute(made: list[str]) -> None:
    """Give the lane a turn, at the default rate of one request a minute; note whose requests were made."""
    before = dict(SyncRun.objects.values_list("pk", "requests"))
    Lane.objects.update(due_at=database_now(), state=Lane.State.WAITING)
    made_now = executor.process_lane(Lane.objects.get().pk)
    for run in SyncRun.objects.order_by("requested_at"):
        made += [run.trigger] * (run.requests - before.get(run.pk, 0))
    minutes_pass(made_now)


class TestForcedSyncsWithoutEnd:
    """An editor, or a script with an editor's token, who asks again as soon as the last one has ended."""

    def test_hold_up_a_backfill_for_ten_minutes_at_most(self, year):
        made: list[str] = []
        while len(made) < 36:
            lifecycle.force_sync(year, None, actor="bob")
            one_minute(made)

        backfilled = [minute for minute, trigger in enumerate(made) if trigger == Trigger.CONNECT]
        gaps = [later - earlier for earlier, later in zip([0, *backfilled], backfilled, strict=False)]
        assert len(backfilled) >= 3
        assert max(gaps) <= 11

    def test_still_go_first_otherwise(self, year):
        made: list[str] = []
        while len(made) < 36:
            lifecycle.force_sync(year, None, actor="bob")
            one_minute(made)

        assert made[0] == Trigger.FORCE
        assert made.count(Trigger.FORCE) > 3 * made.count(Trigger.CONNECT)

    def test_whose_turn_it_is_may_use_the_last_token(self, year, settings):
        run = SyncRun.objects.get()
        lifecycle.force_sync(year, None, actor="bob")
        minutes_pass(11)
        settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 1

        executor.process_lane(Lane.objects.get().pk)

        run.refresh_from_db()
        assert run.requests == 1


class TestForcedStepThatWaits:
    def test_does_not_keep_the_lane_awake_while_another_waits_for_a_token(self, year, settings):
        """It would be looked at every second, for a step that cannot be done yet and a token that is not there."""
        lifecycle.force_sync(year, None, actor="bob")
        SyncStep.objects.filter(run__trigger=Trigger.FORCE).update(not_before=database_now() + 5 * MINUTE)
        settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 2
        lane = Lane.objects.get()
        assert executor.process_lane(lane.pk) == 1

        assert executor.process_lane(lane.pk) == 0

        lane.refresh_from_db()
        assert (lane.due_at - database_now()).total_seconds() > 30
