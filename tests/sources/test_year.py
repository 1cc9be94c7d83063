"""A year of a Console and of an Enterprise organisation: exact by every dimension, keys and people add up to the bill."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest

from accounts.models import Plan
from costs import api_versions
from costs.selectors import CostQuery, total
from foundation.periods import DayRange
from integrations.anthropic.report_specs import analytics_first_day
from tests.sources.conftest import CONSOLE, ENTERPRISE
from tests.sources.test_exact import _COST, _MEMBER, _SERVED, _WHO, sums, true_dollars
from workers.clock import database_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def year() -> DayRange:
    today = database_now().date()
    return DayRange(today - dt.timedelta(days=365), today)


def test_console(filled, simulator, year):
    simulator.clear_requests()
    connection = filled(CONSOLE, Plan.PRO)
    organisation = connection.organization_id
    query = CostQuery(connection.account_id, year)

    bill = simulator.truth(organisation, year.start, year.end).total_usd
    assert total(query) == bill
    for name in _COST:
        truth = simulator.truth(organisation, year.start, year.end, group_by=name).groups
        assert sums(query, name) == {key: amount for key, amount in truth.items() if amount}, name
    # Days before the analytics reports begin are shared out; each part says so, and nothing is left over.
    for names in (["api_key_id", "attribution"], ["actor_id", "attribution"], ["product", "speed"]):
        assert sum(sums(query, *names).values()) == bill, names
    native = DayRange(max(year.start, analytics_first_day(year.end)), year.end)
    since = CostQuery(connection.account_id, native)
    for ours, theirs in (_WHO | _SERVED).items():
        assert sums(since, ours) == true_dollars(simulator, organisation, native, theirs), ours
    before = CostQuery(connection.account_id, DayRange(year.start, native.start))
    assert {method for _, method in sums(before, "api_key_id", "attribution")} <= {
        "token_share",
        "unattributed",
    }
    assert {key for key, _ in sums(before, "api_key_id", "attribution")} > {None}
    compared = api_versions.compare(connection.pk, "cost_report", "analytics_cost", year)
    assert (compared.days_compared, compared.days_different) == (len(native), [])
    assert compared.difference_usd == Decimal(0)
    requests = Counter(
        request["path"].rsplit("/organizations/")[-1] for request in simulator.requests(organisation=CONSOLE)
    )
    # Twelve windows of 31 days each, and one to test the key.
    assert requests["cost_report"] == 13
    assert requests["usage_report/messages"] == 12


def test_enterprise(filled, simulator, year):
    connection = filled(ENTERPRISE, Plan.PRO)
    organisation = connection.organization_id
    # The export ends some hours ago, so yesterday may be cut; the days before are whole.
    whole = DayRange(max(year.start, analytics_first_day(year.end)), year.end - dt.timedelta(days=1))
    query = CostQuery(connection.account_id, whole)

    assert total(query) == simulator.analytics_truth(organisation, whole.start, whole.end).total_usd
    for ours, theirs in _MEMBER.items():
        assert sums(query, ours) == true_dollars(simulator, organisation, whole, theirs), ours
