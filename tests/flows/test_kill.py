"""kill -9 of a worker at each place that matters; afterwards every total is exact and nothing is doubled."""

from __future__ import annotations

import signal

import pytest
from django.db.models import Count, Sum

from costs.models import CostFact
from tests.flows.conftest import eventually
from workers import failpoints, lifecycle
from workers.lifecycle import NewConnection
from workers.models import Lane, SyncRun, SyncStep

pytestmark = [pytest.mark.flow, pytest.mark.django_db(transaction=True)]

# At different times of the backfill: the first window, the names, windows in the middle.
NTH = {"claimed": 2, "chosen": 3, "token-taken": 4, "answered": 3, "page-archived": 2, "facts-written": 5,
       "before-commit": 4, "after-commit": 1, "grant-noted": 6, "tick-woken": 1, "lane-released": 1,
       "daily-started": 2, "steps-planned": 1, "penalised": 1, "failure-noted": 1}  # fmt: skip
# ConcurrencyLimit that are only passed when upstream fails.
FAULTS = {
    "penalised": {"kind": "rate_limit_retry_after", "seconds": 1},
    "failure-noted": {"kind": "server_error"},
}


@pytest.mark.parametrize("point", failpoints.POINTS)
def test_backfill_is_exact_after_a_worker_died(point, account, simulator, engine):
    key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    connection = lifecycle.connect(account, NewConnection(key), actor="alice")
    simulator.clear_requests()
    if point in FAULTS:
        simulator.fault(**FAULTS[point], organisation="acorn-studio", times=1)
    engine.beat()
    doomed = engine.worker(TALLYSTICK_FAILPOINT=f"{point}:{NTH[point]}")
    assert doomed.wait(timeout=60) == -signal.SIGKILL

    engine.worker()
    eventually(lambda: SyncRun.objects.get().status == SyncRun.Status.SUCCEEDED, "the backfill ends")
    eventually(lambda: Lane.objects.get().state == Lane.State.IDLE, "the lane comes to rest")

    run = SyncRun.objects.get()
    truth = simulator.truth(connection.organization_id, run.from_day, run.to_day)
    doubled = CostFact.objects.values("day", "row_key").annotate(n=Count("id")).filter(n__gt=1)
    assert CostFact.objects.aggregate(sum=Sum("amount_usd"))["sum"] == truth.total_usd
    assert CostFact.objects.count() == truth.rows
    assert not doubled.exists()
    assert run.steps_done == run.steps_total == SyncStep.objects.filter(status="done").count()
    # Only a request whose answer died with the worker is made twice.
    assert len(simulator.requests()) <= run.steps_total + 1
