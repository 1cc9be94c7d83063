"""The first minutes of a connection at the default limits: one request a minute, ten saved up."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from costs.models import CostFact
from tests.flows.conftest import eventually
from workers import lifecycle
from workers.lifecycle import NewConnection
from workers.models import Lane, SyncRun

pytestmark = [pytest.mark.flow, pytest.mark.django_db(transaction=True)]

DEFAULTS = {"ANTHROPIC_REQUESTS_PER_MINUTE": "1", "ANTHROPIC_BURST": "10"}


@pytest.fixture
def at_default_limits(engine, settings):
    settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 10
    engine.beat(**DEFAULTS)
    engine.worker(**DEFAULTS)
    # Both run before the clock starts: a person connects to a service, not to one that is starting.
    eventually(lambda: "ready" in engine.read_logs(), "worker is ready")


def test_newest_month_is_stored_within_ten_seconds(account, simulator, engine, at_default_limits):
    key = simulator.organisations(organisation="birch-logistics")[0]["admin_key"]
    simulator.clear_requests()
    yesterday = timezone.now().date() - dt.timedelta(days=1)

    lifecycle.connect(account, NewConnection(key), actor="alice")

    eventually(CostFact.objects.filter(day=yesterday).exists, "yesterday is stored", seconds=10)


def test_burst_is_used_and_then_the_lane_waits_for_its_minute(account, simulator, engine, at_default_limits):
    key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    simulator.clear_requests()

    lifecycle.connect(account, NewConnection(key), actor="alice")
    # Ten saved up: two for the probe, seven for the backfill, the last is left to connection tests.
    eventually(lambda: SyncRun.objects.get().requests == 7, "the burst is used")
    eventually(lambda: Lane.objects.get().state == Lane.State.WAITING, "the lane waits")

    assert len(simulator.requests()) == 9
    assert simulator.rate(per_minute=1, burst=10)["ok"]
    wait = (Lane.objects.get().due_at - timezone.now()).total_seconds()
    assert 30 < wait <= 61
