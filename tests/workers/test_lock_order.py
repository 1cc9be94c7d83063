"""Locks are taken in one order everywhere: of two who act on one connection at once, none waits for the other for ever."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from uuid import UUID

import pytest
from django.db import connection as database
from django.db import transaction

from accounts.models import Account
from devtools.simulator.process import Simulator
from integrations.errors import Fate, Reason, UpstreamError, advice
from integrations.models import Connection, Status
from tests.workers.locking import BELONGINGS, CONNECTIONS, LANES, locks_taken
from workers import billing, executor, lanes, lifecycle, outcomes, plans, runs, schedule, turned_off
from workers.clock import database_now
from workers.lifecycle import NewConnection
from workers.models import Lane, SyncRun, SyncStep, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

Act = Callable[[], object]


@dataclass
class Stage:
    """A connection that is read through two lanes, and what acts on it."""

    account: Account
    connection: Connection
    simulator: Simulator

    @property
    def key(self) -> str:
        return str(self.simulator.organisations(organisation="acorn-studio")[0]["admin_key"])

    def in_state(self, status: Status) -> None:
        Connection.objects.update(status=status)
        self.connection.refresh_from_db()

    def claimed(self, report_name: str = "cost_report") -> tuple[lanes.Lease, SyncStep]:
        """Hold the lane of a report, with the first of its steps."""
        step = (
            SyncStep.objects.select_related("run__connection__account")
            .filter(report_name=report_name)
            .first()
        )
        assert step is not None
        lanes.make_due(step.run.lane_id)
        lease = lanes.claim(step.run.lane_id)
        assert lease is not None
        return lease, step


# ---- what people do


def connect_again(stage: Stage) -> Act:
    lifecycle.disconnect(stage.connection, erase=False, actor="alice")
    return lambda: lifecycle.connect(stage.account, NewConnection(stage.key), actor="alice")


def mend_by_a_test(stage: Stage) -> Act:
    stage.in_state(Status.ERROR)
    return lambda: lifecycle.check_connection(stage.connection, actor="alice")


def break_by_a_test(stage: Stage) -> Act:
    stage.simulator.fault("revoked", times=-1)
    return lambda: lifecycle.check_connection(stage.connection, actor="alice")


def rotate(stage: Stage) -> Act:
    stage.in_state(Status.ERROR)
    key = stage.simulator.world("acorn-studio", "new_key")["key"]
    return lambda: lifecycle.rotate_key(stage.connection, key, actor="alice")


def resume(stage: Stage) -> Act:
    stage.in_state(Status.PAUSED)
    return lambda: lifecycle.resume(stage.connection, actor="alice")


# ---- what answers change


def last_page(report_name: str) -> Callable[[Stage], Act]:
    def arrange(stage: Stage) -> Act:
        lease, step = stage.claimed(report_name)
        page = lifecycle.connections.open_client(stage.connection).fetch(executor._request(step))
        now = database_now()
        return lambda: outcomes.record_page(lease, step, page, requested_at=now)

    return arrange


def failure(
    reason: Reason, fate: Fate, report_name: str = "cost_report", status: int = 400
) -> Callable[[Stage], Act]:
    def arrange(stage: Stage) -> Act:
        lease, step = stage.claimed(report_name)
        error = UpstreamError.told(advice(reason), fate, status=status)
        return lambda: outcomes.record_failure(lease, step, error)

    return arrange


def own_key(stage: Stage) -> Act:
    lease, step = stage.claimed()
    error = UpstreamError.told(advice(Reason.KEY_UNREADABLE), Fate.FATAL)
    return lambda: outcomes.leave_to_others(lease, step, error)


def restart(stage: Stage) -> Act:
    lease, step = stage.claimed()
    return lambda: outcomes.restart(lease, step)


def poison(stage: Stage) -> Act:
    lease, step = stage.claimed()

    @transaction.atomic
    def act() -> None:
        lanes.lock(lease)
        outcomes.stop_poisoned(step.run)

    return act


def last_window_closed(stage: Stage) -> Act:
    lease, step = stage.claimed()
    step.run.steps.update(status=SyncStep.Status.SKIPPED)

    @transaction.atomic
    def act() -> None:
        lanes.lock(lease)
        outcomes.close_run_if_done(step, database_now())

    return act


# ---- what the clock does


def daily(stage: Stage) -> Act:
    Connection.objects.update(next_sync_at=database_now())
    return schedule.start_due


def cancel(stage: Stage) -> Act:
    run = stage.connection.runs.select_related("connection", "lane").first()
    return lambda: runs.cancel(run, now=database_now())


def larger_plan(_stage: Stage) -> Act:
    Connection.objects.update(backfill_days=1, wanted_from=database_now().date())
    return plans.follow


def choose_bill(stage: Stage) -> Act:
    def act() -> None:
        with pytest.raises(billing.ApiVersionsDifferError):
            billing.choose(stage.connection, "analytics_cost", actor="alice")

    return act


BOTH = {LANES, CONNECTIONS}
ALL = {LANES, CONNECTIONS, BELONGINGS}
# Function → what is done → what it locks. A public function that is missing here fails the test.
SCENES: dict[str, dict[str, tuple[Callable[[Stage], Act], set[str]]]] = {
    "lifecycle.check_key": {
        "": (lambda stage: lambda: lifecycle.check_key(stage.account, stage.key, actor="alice"), {LANES}),
    },
    "lifecycle.connect": {"again": (connect_again, ALL)},
    "lifecycle.check_connection": {"mends": (mend_by_a_test, ALL), "breaks": (break_by_a_test, BOTH)},
    "lifecycle.force_sync": {
        "": (lambda stage: lambda: lifecycle.force_sync(stage.connection, None, actor="alice"), BOTH)
    },
    "lifecycle.rotate_key": {"": (rotate, ALL)},
    "lifecycle.pause": {"": (lambda stage: lambda: lifecycle.pause(stage.connection, actor="alice"), BOTH)},
    "lifecycle.resume": {"": (resume, ALL)},
    "lifecycle.edit": {
        "": (lambda stage: lambda: lifecycle.edit(stage.connection, label="New", actor="a"), {CONNECTIONS})
    },
    "lifecycle.disconnect": {
        "keeps": (
            lambda stage: lambda: lifecycle.disconnect(stage.connection, erase=False, actor="alice"), BOTH
        ),
        "erases": (
            lambda stage: lambda: lifecycle.disconnect(stage.connection, erase=True, actor="alice"), ALL
        ),
    },
    "lifecycle.find": {"": (lambda stage: lambda: lifecycle.find(stage.account, stage.connection.pk), set())},
    "outcomes.record_page": {
        "of the bill": (last_page("cost_report"), ALL),
        "of names": (last_page("workspaces"), ALL),
        "of the other lane": (last_page("analytics_cost"), ALL),
    },
    "outcomes.record_failure": {
        "rate limit": (failure(Reason.RATE_LIMITED, Fate.RETRYABLE), ALL),
        "server error": (failure(Reason.UPSTREAM_UNAVAILABLE, Fate.RETRYABLE), ALL),
        "no answer": (failure(Reason.UPSTREAM_UNREADABLE, Fate.FATAL, status=200), ALL),
        "too early": (failure(Reason.HISTORY_FLOOR, Fate.FATAL), ALL),
        "key revoked": (failure(Reason.KEY_REJECTED, Fate.FATAL), BOTH),
        "bill refused": (failure(Reason.SCOPE_MISSING, Fate.FATAL, status=403), ALL),
        "report refused": (failure(Reason.SCOPE_MISSING, Fate.FATAL, "analytics_cost", status=403), ALL),
    },
    "outcomes.leave_to_others": {"": (own_key, BOTH)},
    "outcomes.restart": {"": (restart, {LANES})},
    "outcomes.close_run_if_done": {"": (last_window_closed, BOTH)},
    "outcomes.stop_poisoned": {"": (poison, BOTH)},
    "schedule.next_daily": {
        "": (lambda stage: lambda: schedule.next_daily(stage.connection.pk, after=database_now()), set())
    },
    "schedule.start_due": {"": (daily, BOTH)},
    "plans.first_allowed_day": {
        "": (
            lambda stage: lambda: plans.first_allowed_day(stage.connection, database_now().date()), set()
        )
    },
    "plans.follow": {"": (larger_plan, BOTH)},
    "billing.choose": {"": (choose_bill, BOTH)},
    "runs.cancel": {"": (cancel, BOTH)},
}  # fmt: skip


def public_functions(module: ModuleType) -> set[str]:
    room = module.__name__.partition(".")[2]
    return {
        f"{room}.{name}"
        for name, found in inspect.getmembers(module, inspect.isfunction)
        if found.__module__ == module.__name__ and not name.startswith("_")
    }


@pytest.fixture
def stage(connect, account, simulator, settings) -> Stage:
    settings.REPORTS_OFF = frozenset()
    settings.ANTHROPIC_BURST = settings.ANTHROPIC_ANALYTICS_BURST = 1000
    connection = connect()
    assert Lane.objects.count() == 2
    return Stage(account, connection, simulator)


class TestEveryPublicFunction:
    @pytest.mark.parametrize(
        "module", [lifecycle, outcomes, schedule, plans, billing], ids=lambda module: module.__name__
    )
    def test_is_looked_at(self, module):
        assert public_functions(module) - SCENES.keys() == set()

    @pytest.mark.parametrize(
        ("arrange", "locked"),
        [
            pytest.param(*scene, id=f"{name} {what}".strip())
            for name, scenes in SCENES.items()
            for what, scene in scenes.items()
        ],
    )
    def test_locks_lanes_by_id_and_then_the_connection(self, stage, arrange, locked):
        act = arrange(stage)

        with locks_taken() as log:
            act()

        assert log.disorder == []
        assert log.kinds == locked


class TestTwoConnectionsOfOneOrganisation:
    def queue_names(self, run_id: UUID, connection: Connection, lane: Lane) -> None:
        today = database_now().date()
        run = SyncRun.objects.create(
            id=run_id, connection=connection, lane=lane, trigger=Trigger.FORCE, priority=10,
            from_day=today, to_day=today, steps_total=1,
        )  # fmt: skip
        SyncStep.objects.create(
            run=run, position=0, report_name="workspaces", window_start=today, window_end=today
        )

    def test_are_locked_by_id_where_one_lane_has_steps_of_both_to_close(self, stage, other_account, settings):
        """Its other lane may do the same at that moment; runs come in an order of their own."""
        lifecycle.connect(other_account, NewConnection(stage.key), actor="charlie")
        SyncRun.objects.all().delete()
        lane = Lane.objects.get(family="classic")
        low, high = Connection.objects.order_by("pk")
        self.queue_names(UUID(int=1), high, lane)
        self.queue_names(UUID(int=2), low, lane)
        settings.REPORTS_OFF = frozenset({"workspaces"})

        with locks_taken() as log, transaction.atomic():
            lanes.hold(lane.organization_id, ["classic"])
            turned_off.skip(lane.pk)

        assert log.disorder == []
        assert set(SyncRun.objects.values_list("status", flat=True)) == {SyncRun.Status.SUCCEEDED}


class TestTheRecorder:
    """Without this, a recorder that sees nothing would hold every order to be right."""

    @pytest.mark.parametrize(
        ("first", "then", "told"),
        [
            ("SELECT id FROM workers_lane ORDER BY id DESC FOR UPDATE", "SELECT 1", "is locked after lane"),
            ("SELECT id FROM workers_lane FOR NO KEY UPDATE", "SELECT 1", "in no order"),
            (
                "SELECT id FROM integrations_connection FOR NO KEY UPDATE",
                "UPDATE workers_lane SET fence = 1 WHERE family = 'classic'",
                "is locked after the connection",
            ),
            (
                "SELECT id FROM workers_lane ORDER BY id FOR UPDATE SKIP LOCKED",
                "UPDATE costs_daydigest SET row_count = 0 WHERE row_count = 1",
                "before the connection is locked",
            ),
        ],
    )
    def test_tells_what_is_out_of_order(self, stage, first, then, told):
        with locks_taken() as log, transaction.atomic(), database.cursor() as cursor:
            cursor.execute(first)
            cursor.execute(then)

        assert any(told in each for each in log.disorder)

    def test_does_not_pass_over_what_it_cannot_read(self, stage):
        with (
            pytest.raises(AssertionError, match="nobody knows"),
            locks_taken(),
            transaction.atomic(),
            database.cursor() as cursor,
        ):
            cursor.execute("WITH held AS (SELECT id FROM workers_lane FOR UPDATE) SELECT count(*) FROM held")
