"""Two workers on one lane in any interleaving, with leases that end and workers that die, end as one."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.db import connection as database
from django.db import connections
from django.db.models import Sum
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.models import Plan
from costs.models import CostFact, Restatement
from integrations.anthropic import report_specs
from integrations.anthropic.reports.classic_cost import cost_report_request
from integrations.connections import NewConnection
from integrations.models import Connection, Status
from workers import executor, lifecycle, outcomes, windows
from workers.clock import database_now
from workers.models import Lane, Page, SyncRun, SyncStep

pytestmark = pytest.mark.django_db(transaction=True)

_PATIENCE_SECONDS = 30


class Killed(BaseException):
    """What a worker dies of: nothing catches it, and its transaction is rolled back as that of a dead session."""


class Worker:
    """A thread that gives the lane one turn after the other and stops at every failpoint until it is let go."""

    def __init__(self, lane_id: int) -> None:
        self.at: str | None = None
        self.pid = 0
        self._lane_id = lane_id
        self._go, self._changed = threading.Event(), threading.Condition()
        self._is_doomed = self._is_free = False
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        self.settle()

    def _work(self) -> None:
        try:
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self.pid = cursor.fetchone()[0]
            while not self._is_free:
                try:
                    self.stop("between turns")
                    executor.process_lane(self._lane_id)
                except Killed:
                    self._is_doomed = False
        finally:
            connections.close_all()

    def stop(self, point: str) -> None:
        """Wait at a point of the worker's own thread until it may go on, or die there."""
        if self._is_free:
            return
        with self._changed:
            self.at = point
            self._changed.notify_all()
        self._go.wait(_PATIENCE_SECONDS)
        self._go.clear()
        if self._is_doomed:
            raise Killed

    def let_go(self, *, is_doomed: bool = False) -> None:
        """Let the worker go to its next point, or die at this one; not while it waits for a lock."""
        self.settle()
        if self.at is None:
            return
        self._is_doomed = is_doomed
        with self._changed:
            self.at = None
        self._go.set()
        self.settle()

    def settle(self) -> None:
        """Return once the worker stands at a point or waits for a lock that the other one has."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            with self._changed:
                if self.at is not None or self._changed.wait_for(lambda: self.at is not None, timeout=0.02):
                    return
            if self.pid and _is_blocked(self.pid):
                return
        raise AssertionError("the worker neither arrives nor waits for a lock")

    def free(self) -> None:
        """Let the worker finish its turn without stopping again."""
        self._is_free = True
        self._go.set()

    def join(self) -> None:
        self._thread.join(_PATIENCE_SECONDS)
        assert not self._thread.is_alive()


def _is_blocked(pid: int) -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])


@pytest.fixture
def two(monkeypatch) -> Iterator[Callable[[int], list[Worker]]]:
    """Two workers on a lane, which stop wherever a process may die."""
    workers: list[Worker] = []
    monkeypatch.setattr(executor, "_MOST_CLAIMS", 10_000)  # so many deaths would count as poison
    for module in (executor, outcomes):
        monkeypatch.setattr(module, "failpoint", lambda point: _stop_here(workers, point))

    def start(lane_id: int) -> list[Worker]:
        workers[:] = [Worker(lane_id), Worker(lane_id)]
        return workers

    yield start
    for worker in workers:
        worker.free()


def _stop_here(workers: list[Worker], point: str) -> None:
    for worker in workers:
        if worker._thread is threading.current_thread():
            worker.stop(point)


@pytest.fixture
def backfill(account, connect, monkeypatch) -> Callable[[], Connection]:
    """Connect anew: one window of two pages, and the names."""
    halves = replace(
        report_specs.REPORT_SPECS["cost_report"], _first_page=lambda window: cost_report_request(window, 16)
    )
    monkeypatch.setitem(report_specs.REPORT_SPECS, "cost_report", halves)
    account.plan = Plan.FREE
    account.save()

    def anew() -> Connection:
        for old in Connection.objects.all():
            lifecycle.disconnect(old, erase=True, actor="alice")
        connection = connect()
        Lane.objects.update(state=Lane.State.WAITING, due_at=database_now())
        return connection

    return anew


# The two take turns: each goes on for so many points, and then something may happen to it. Long stretches of the one are
# what the other one is late for.
stretch = st.tuples(st.integers(0, 12), st.sampled_from(["lease ends", "lease ends", "dies", "nothing"]))


class TestTwoWorkers:
    @settings(
        max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
    @given(stretches=st.lists(stretch, min_size=2, max_size=9))
    # The first has its answer and is late: the second reads both pages before it, or the first of them only.
    @example(stretches=[(5, "lease ends"), (16, "nothing"), (9, "nothing")])
    @example(stretches=[(5, "lease ends"), (8, "nothing"), (9, "nothing")])
    def test_write_each_window_once_and_whole(self, run_due, backfill, two, simulator, stretches):
        connection = backfill()
        workers = two(Lane.objects.get().pk)

        for (points, then), worker in zip(stretches, itertools.cycle(workers), strict=False):
            for _ in range(points):
                worker.let_go()
            if then == "dies":
                worker.let_go(is_doomed=True)
            elif then == "lease ends":
                _end_lease(workers)
        for worker in workers:
            worker.free()
        for worker in workers:
            worker.join()
        Lane.objects.exclude(state=Lane.State.IDLE).update(due_at=database_now())
        run_due()

        run = SyncRun.objects.get()
        truth = simulator.truth(connection.organization_id, run.from_day, run.to_day)
        stored = CostFact.objects.aggregate(sum=Sum("amount_usd"))["sum"]
        assert (stored, CostFact.objects.count()) == (truth.total_usd, truth.rows)
        # A window written twice would have found its own rows unchanged.
        assert (run.rows_added, run.rows_changed, run.rows_removed, run.rows_unchanged) == (
            truth.rows,
            0,
            0,
            0,
        )
        assert Restatement.objects.count() == 0
        assert run.status == SyncRun.Status.SUCCEEDED
        assert set(SyncStep.objects.values_list("status", flat=True)) == {SyncStep.Status.DONE}
        assert list(Page.objects.order_by("path", "sequence").values_list("attempt", "sequence")) == [
            (1, 1), (1, 2), (1, 1),
        ]  # fmt: skip
        assert Lane.objects.get().state == Lane.State.IDLE


def _end_lease(workers: list[Worker]) -> None:
    """As time would: whoever holds the lane is late from now on. A lane in the middle of a write is due afterwards."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_lane SET due_at = now() WHERE id IN ("
            "SELECT id FROM workers_lane WHERE state <> 'idle' FOR NO KEY UPDATE SKIP LOCKED)"
        )
    for worker in workers:
        worker.settle()


class TestPoison:
    def test_a_step_that_ends_its_worker_five_times_stops_its_run_and_no_other(
        self, connect, other_account, simulator, run_due, monkeypatch
    ):
        poisoned = connect()
        key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
        healthy = lifecycle.connect(other_account, NewConnection(key), actor="charlie")

        def kill_whoever_writes_for_the_first(step: SyncStep, *rest: object, **more: object) -> object:
            if step.run.connection_id == poisoned.pk:
                raise Killed
            return write(step, *rest, **more)

        write = windows.write
        monkeypatch.setattr(windows, "write", kill_whoever_writes_for_the_first)
        deaths = 0
        while SyncRun.objects.get(connection=poisoned).status in SyncRun.ACTIVE:
            Lane.objects.update(due_at=database_now())  # the lease of the dead ends
            try:
                run_due()
            except Killed:
                deaths += 1

        poisoned.refresh_from_db()
        healthy.refresh_from_db()
        assert deaths == 5
        assert "ended its worker" in SyncRun.objects.get(connection=poisoned).detail
        assert (poisoned.status, healthy.status) == (Status.DEGRADED, Status.ACTIVE)
        assert not CostFact.objects.filter(connection=poisoned).exists()
        assert not Page.objects.filter(step__run__connection=poisoned).exists()
