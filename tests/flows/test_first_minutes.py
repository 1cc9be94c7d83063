"""The first minutes of a connection at the default limits: one request a minute, ten saved up."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from django.utils import timezone

from accounts import tokens
from accounts.models import Plan, Role
from accounts.tokens import Terms
from devtools.demo.api import Api
from foundation.periods import DayRange
from tests.dashboard.conftest import figures_in
from tests.flows.conftest import eventually
from tests.ports import free_port
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


class Stranger:
    """Somebody who has nothing but an address, a token and a browser's cookie."""

    def __init__(self, port: int, token: str, cookie: str) -> None:
        self.api = Api("127.0.0.1", port, token)
        self._page = Request(f"http://127.0.0.1:{port}/overview/", headers={"Cookie": cookie})
        # The server is on this machine: a proxy from the environment must not come between.
        self._opener = build_opener(ProxyHandler({}))

    def total_of(self, days: DayRange) -> Decimal | None:
        total = self.api.get("costs/summary/", **{"from": days.start, "to": days.end})["total_usd"]
        return None if total is None else Decimal(total)

    def overview(self) -> str:
        with self._opener.open(self._page, timeout=30) as answer:
            return answer.read().decode()


@pytest.fixture
def stranger(account, admin_user, engine, at_default_limits, client) -> Stranger:
    _, token = tokens.issue(account, admin_user, Terms("t", Role.ADMIN), actor="set-up")
    client.force_login(admin_user)
    port = free_port()
    engine.web(port, **DEFAULTS)
    found = Stranger(port, token, client.cookies.output(header="", attrs=[]).strip())
    eventually(lambda: answers(found), "the web server answers")
    return found


def answers(stranger: Stranger) -> bool:
    try:
        return bool(stranger.overview())
    except URLError:
        return False


def test_newest_month_is_visible_within_ten_seconds(stranger, simulator):
    """From the request that connects to the last thirty days, exact, in the API and on the Overview."""
    organisation = simulator.organisations(organisation="birch-logistics")[0]
    today = timezone.now().date()
    month = DayRange(today - dt.timedelta(days=30), today)
    truth = simulator.truth("birch-logistics", month.start, month.end).total_usd
    simulator.clear_requests()
    started = time.monotonic()

    stranger.api.post("connections/", {"provider": "anthropic", "api_key": organisation["admin_key"]})
    connected = time.monotonic() - started
    eventually(lambda: stranger.total_of(month) == truth, "the API has the month", seconds=10 - connected)
    in_api = time.monotonic() - started
    eventually(
        lambda: str(truth) in figures_in(stranger.overview()), "the Overview shows it", seconds=10 - in_api
    )

    shown = time.monotonic() - started
    print(
        f"connected after {connected:.1f} s, in the API after {in_api:.1f} s, on the Overview after {shown:.1f} s"
    )
    assert shown < 10


def test_burst_is_used_and_then_the_lane_waits_for_its_minute(account, simulator, engine, at_default_limits):
    key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    simulator.clear_requests()

    lifecycle.connect(account, NewConnection(key), actor="alice")
    # Ten saved up: two for the probe, six for the backfill, and two are left to the next connection test.
    eventually(lambda: SyncRun.objects.get().requests == 6, "the burst is used")
    eventually(lambda: Lane.objects.get().state == Lane.State.WAITING, "the lane waits")

    # Those of the classic reports: the analytics family has a limit of its own.
    assert len([each for each in simulator.requests() if "/analytics/" not in each["path"]]) == 8
    assert simulator.rate(per_minute=1, burst=10, path="/organizations/cost_report")["ok"]
    wait = (Lane.objects.get().due_at - timezone.now()).total_seconds()
    assert 30 < wait <= 61


def test_a_person_gets_the_moment_they_were_promised_while_everything_asks(
    account, simulator, engine, settings
):
    """Ten times as fast as the default, so that a minute is six seconds; a forced sync may use the last token."""
    rate = {"ANTHROPIC_REQUESTS_PER_MINUTE": "10", "ANTHROPIC_BURST": "4"}
    settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 10, 4
    simulator.clear_requests()
    account.plan = Plan.PRO
    account.save()
    key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    connection = lifecycle.connect(account, NewConnection(key), actor="alice")
    today = timezone.now().date()
    forced, _ = lifecycle.force_sync(connection, DayRange(today - dt.timedelta(days=360), today), actor="bob")
    engine.beat(**rate)
    engine.worker(**rate)
    eventually(lambda: SyncRun.objects.get(pk=forced.pk).requests >= 2, "the forced sync takes every token")

    refused = lifecycle.check_connection(connection, actor="alice")
    assert refused.reason == "rate_limited"
    due = time.monotonic() + refused.retry_after_seconds
    eventually(lambda: time.monotonic() >= due, "the moment promised", seconds=30)

    assert lifecycle.check_connection(connection, actor="alice").ok
    assert SyncRun.objects.get(pk=forced.pk).status == SyncRun.Status.RUNNING
    assert simulator.rate(per_minute=10, burst=4, path="/organizations/cost_report")["ok"]
