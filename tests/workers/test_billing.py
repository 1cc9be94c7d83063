from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import transaction

from costs import api_versions
from costs.ingest import Window, replace_window
from costs.records import CostRecord, Origin
from foundation.periods import DayRange
from integrations.models import Connection, Report, Status
from workers import billing
from workers.billing import ApiVersionsDifferError
from workers.clock import database_now

pytestmark = pytest.mark.django_db(transaction=True)


def days_ago(days: int) -> dt.date:
    return database_now().date() - dt.timedelta(days=days)


@pytest.fixture
def two_bills(account):
    """A connection whose two bills agree on day 40 ago, and differ on day 10 ago."""

    def make(origin: str, bill: str, other: str) -> Connection:
        connection = Connection.objects.create(
            account=account, origin=origin, label="Main", organization_id="org-1", organization_name="Organisation",
            key_hint="sk-ant-…abcd", status=Status.ACTIVE, backfill_days=50, wanted_from=days_ago(50), cost_source=bill,
        )  # fmt: skip
        for source, recent in ((bill, "2"), (other, "3")):
            Report.objects.create(
                connection=connection, report_name=source, kind="cost", is_bill=True, wanted_from=days_ago(50)
            )
            records = [
                CostRecord(day=day, origin=Origin(origin), source=source, amount_usd=Decimal(amount))
                for day, amount in ((days_ago(40), "1"), (days_ago(10), recent))
            ]
            now = database_now()
            with transaction.atomic():
                replace_window(
                    Window(connection.pk, source, frozenset({days_ago(40), days_ago(10)}), now, now), records
                )
        return connection

    return make


def test_a_day_that_enterprise_may_still_restate_does_not_stand_in_the_way(two_bills):
    connection = two_bills("claude_ai", "enterprise_cost", "enterprise_cost_report")

    billing.choose(connection, "enterprise_cost_report", actor="alice")

    assert connection.cost_source == "enterprise_cost_report"


def test_bills_that_share_no_dimension_are_compared_by_their_days(two_bills):
    connection = two_bills("claude_ai", "enterprise_cost", "enterprise_cost_report")

    compared = api_versions.compare(
        connection.pk, "enterprise_cost", "enterprise_cost_report", DayRange(days_ago(50), days_ago(0))
    )

    (day,) = compared.days_different
    assert (day.day, day.difference_usd) == (days_ago(10), Decimal(1))
    assert [(row.bill_usd, row.other_usd) for row in day.rows] == [(Decimal(2), Decimal(3))]


def test_a_day_that_is_final_on_the_console_does(two_bills):
    connection = two_bills("claude_platform", "cost_report", "analytics_cost")

    with pytest.raises(ApiVersionsDifferError, match=str(days_ago(10))):
        billing.choose(connection, "analytics_cost", actor="alice")
