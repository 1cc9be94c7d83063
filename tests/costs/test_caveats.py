from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from costs.caveats import list_caveats
from costs.coverage import Scope, read_coverage
from costs.models import DayDigest
from foundation.periods import DayRange
from tests.costs.test_ingest import MONDAY, T0, make_connection, put, record

ONE = dt.timedelta(days=1)
DAYS = DayRange(MONDAY, MONDAY + 3 * ONE)
LATER = MONDAY + 30 * ONE
A_MONTH = 60 * 24 * 30


def covered(account, days: DayRange, today: dt.date, connections: list[str] | None = None):
    return read_coverage(Scope(account.pk, days, today, {"connection": connections or []}))


@pytest.fixture
def connection(account):
    return make_connection(account)


class TestListCaveats:
    def test_of_settled_days_are_none(self, account, connection):
        put(connection, record("1"), minutes=A_MONTH)

        caveats = list_caveats(covered(account, DAYS, LATER))

        assert (caveats.missing, caveats.provisional, caveats.restated) == ((), (), ())

    def test_name_days_that_are_missing(self, account, connection):
        put(connection, record("1"), minutes=A_MONTH)
        DayDigest.objects.filter(day=MONDAY + ONE).delete()

        assert list_caveats(covered(account, DAYS, LATER)).missing == (MONDAY + ONE,)

    def test_name_days_that_may_still_change(self, account, connection):
        put(connection, record("1"))

        assert list_caveats(covered(account, DAYS, LATER)).provisional == tuple(DAYS.days())

    def test_call_today_provisional_and_never_missing(self, account, connection):
        put(connection, record("1"), minutes=A_MONTH)
        DayDigest.objects.filter(day=MONDAY + 2 * ONE).delete()

        caveats = list_caveats(covered(account, DAYS, MONDAY + 2 * ONE))

        assert (caveats.provisional, caveats.missing) == ((MONDAY + 2 * ONE,), ())

    def test_add_up_what_restatements_changed(self, account, connection):
        put(connection, record("1"), record("2", MONDAY + ONE))
        put(connection, record("1.25"), record("2", MONDAY + ONE), minutes=1)
        put(connection, record("0.75"), record("2", MONDAY + ONE), minutes=2)

        caveats = list_caveats(covered(account, DAYS, LATER))

        assert [(day.day, day.times, day.difference_usd) for day in caveats.restated] == [
            (MONDAY, 2, Decimal("-0.25"))
        ]
        assert caveats.restated_usd == Decimal("-0.25")
        assert caveats.restated[0].last_observed_at == T0 + dt.timedelta(minutes=2)

    def test_do_not_count_a_day_that_was_still_running(self, account, connection):
        """T0 is on the 20th: that day was read while it ran, so a change was expected."""
        today = frozenset({T0.date()})
        put(connection, record("1", T0.date()), days=today)
        put(connection, record("2", T0.date()), days=today, minutes=1)

        days = DayRange(T0.date(), T0.date() + ONE)
        assert list_caveats(covered(account, days, LATER)).restated == ()

    def test_are_those_of_the_given_connections(self, account, connection):
        put(connection, record("1"), minutes=A_MONTH)
        put(connection, record("2"), minutes=A_MONTH + 1)

        nobody = "00000000-0000-0000-0000-000000000000"
        assert list_caveats(covered(account, DAYS, LATER, [str(connection.pk)])).restated
        assert not list_caveats(covered(account, DAYS, LATER, [nobody])).restated

    def test_do_not_see_another_account(self, other_account, connection):
        put(connection, record("1"))
        put(connection, record("2"), minutes=1)

        caveats = list_caveats(covered(other_account, DAYS, LATER))

        assert (caveats.is_stored, caveats.provisional, caveats.restated) == (False, (), ())
