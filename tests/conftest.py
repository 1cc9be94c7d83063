"""Fixtures for every room: the simulator process, two accounts, a clean Redis, and the engine driven in process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import TransactionTestCase, override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from accounts.models import Account, Membership, Role, User
from devtools.simulator.process import Simulator
from tests.emptying import empty_tables
from workers.bucket import redis_client

# A property holds or does not; how long a busy machine takes to try an example says nothing.
hypothesis_settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def quick_set_up() -> Iterator[None]:
    """What every test pays for and none is about: hashing passwords for long, emptying tables thoroughly."""
    with (
        pytest.MonkeyPatch.context() as patch,
        override_settings(PASSWORD_HASHERS=["tests.passwords.QuickHasher"]),
    ):
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    with Simulator.start(seed=1) as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator, settings: Any) -> Iterator[Simulator]:
    """The simulated Anthropic as upstream, without faults left over from another test.

    Its clock stands still: today's cost grows by the hour, and a test must not depend on when it runs.
    """
    settings.ANTHROPIC_BASE_URL = simulator_process.base_url
    simulator_process.clear_faults()
    simulator_process.set_clock(dt.datetime.now(dt.UTC))
    yield simulator_process
    simulator_process.clear_faults()
    simulator_process.set_clock()


@pytest.fixture(autouse=True)
def clean_redis(request: pytest.FixtureRequest) -> None:
    """Buckets and cached owners of one test must not starve the next; only where the database is used too."""
    uses = {"db", "transactional_db"} & set(request.fixturenames)
    if uses or request.node.get_closest_marker("django_db"):
        redis_client().flushdb()
        cache.clear()


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(name="Alice's company")


@pytest.fixture
def other_account(db: None) -> Account:
    return Account.objects.create(name="Charlie's company")


@pytest.fixture
def admin_user(account: Account) -> User:
    user = User.objects.create_superuser("alice@example.com", "correct horse battery")
    Membership.objects.create(account=account, user=user, role=Role.ADMIN)
    return user


BILL_ONLY = frozenset(
    {
        "usage_report", "claude_code", "api_keys", "users", "analytics_cost", "analytics_cost_serving",
        "analytics_usage", "analytics_usage_serving",
    }
)  # fmt: skip


@pytest.fixture
def bill_only(settings: Any) -> None:
    """Read the bill and the workspaces only: what a test of the engine needs, in a tenth of the requests."""
    settings.REPORTS_OFF = BILL_ONLY


@pytest.fixture
def run_due(transactional_db: None, settings: Any) -> Callable[[], int]:
    """Drive the engine in this process until nothing is due: ticks and turns, at a rate that never waits."""
    from workers import executor, lanes, schedule

    settings.ANTHROPIC_REQUESTS_PER_MINUTE = 60_000
    settings.ANTHROPIC_BURST = 10_000
    settings.ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE = 60_000
    settings.ANTHROPIC_ANALYTICS_BURST = 10_000

    def drive(limit: int = 500) -> int:
        requests = 0
        for _ in range(limit):
            schedule.start_due()
            woken = lanes.wake_due()
            if not woken:
                return requests
            requests += sum(executor.process_lane(lane_id) for lane_id in woken)
        raise AssertionError("the engine did not come to rest")

    return drive
