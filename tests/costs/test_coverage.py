"""Whether a day is stored, how final it is, and why it is missing: one answer for everybody who asks."""

from __future__ import annotations

import datetime as dt

import pytest

from costs.coverage import Gap, Reason, Scope, read_coverage
from costs.freshness import DayState
from costs.models import DayDigest
from foundation.periods import DayRange
from integrations.models import Report, Status
from tests.api.conftest import DAY, record, store, stored_connection, utc

FIRST = dt.date(2026, 10, 1)
TODAY = dt.date(2026, 10, 20)
DAYS = DayRange(FIRST, FIRST + 4 * DAY)
ALL = list(DAYS.days())


def days(first: int, last: int) -> DayRange:
    """Days of the range by number, both inclusive."""
    return DayRange(FIRST + (first - 1) * DAY, FIRST + last * DAY)


@pytest.fixture
def connection(account):
    return stored_connection(account, wanted_from=FIRST)


@pytest.fixture
def read(account):
    def read(asked: DayRange = DAYS, **scope):
        return read_coverage(Scope(account.pk, asked, **{"today": TODAY, **scope}))

    return read


def change(connection, **fields) -> None:
    type(connection).objects.filter(pk=connection.pk).update(**fields)


def of_keys(connection, wanted_from=FIRST) -> Report:
    return Report.objects.create(
        connection=connection,
        report_name="analytics_cost",
        kind="cost",
        is_bill=True,
        wanted_from=wanted_from,
    )


class TestStored:
    def test_every_day_is_settled(self, read, connection):
        store(connection, record(FIRST, "1"), days=ALL)

        found = read()

        assert (found.state, found.missing, found.complete_through) == (DayState.SETTLED, (), ALL[-1])

    def test_a_day_without_cost_is_stored(self, read, connection):
        store(connection, days=ALL)

        assert read().is_stored

    def test_inside_the_restatement_window_it_is_provisional(self, read, connection):
        store(connection, record(FIRST, "1"), days=ALL, as_of=utc("2026-10-09T23:00"))

        assert read().state == DayState.PROVISIONAL

    def test_a_change_after_that_is_a_revision(self, read, connection):
        store(connection, record(FIRST, "1"), days=ALL)
        store(connection, record(FIRST, "2"), as_of=utc("2027-01-01"))

        assert read().state == DayState.REVISED

    def test_older_days_that_somebody_synced_count(self, read, connection):
        change(connection, wanted_from=FIRST + 20 * DAY)
        store(connection, record(FIRST, "1"), days=ALL)

        assert read().state == DayState.SETTLED


class TestMissing:
    def test_of_an_account_without_connections_every_day_is(self, read):
        found = read()

        assert (found.state, found.is_stored, found.complete_through) == (DayState.MISSING, False, None)
        assert found.missing == (Gap(DAYS, Reason.NOT_READ),)

    def test_nothing_is_read_yet(self, read, connection):
        assert read().missing == (Gap(DAYS, Reason.NOT_READ),)

    def test_a_hole_is_told_between_what_is_stored(self, read, connection):
        store(connection, record(FIRST, "1"), days=[ALL[0], ALL[3]])

        found = read()

        assert found.missing == (Gap(days(2, 3), Reason.NOT_READ),)
        assert (found.state, found.complete_through) == (DayState.MISSING, FIRST)

    def test_what_the_plan_does_not_ask_for_is_outside_of_it(self, read, connection):
        change(connection, wanted_from=FIRST + 2 * DAY)
        store(connection, record(FIRST + 2 * DAY, "1"), days=ALL[2:])

        found = read()

        assert found.missing == (Gap(days(1, 2), Reason.OUTSIDE_PLAN),)
        assert (found.complete_through, found.read_through) == (None, ALL[-1])

    def test_what_the_bill_does_not_have_is_before_the_api(self, read, connection):
        Report.objects.update(wanted_from=FIRST + DAY)
        store(connection, record(FIRST + DAY, "1"), days=ALL[1:])

        assert read().missing == (Gap(days(1, 1), Reason.BEFORE_API),)

    def test_nothing_of_2025_can_be_had_from_the_analytics_api(self, read, connection):
        change(connection, origin="claude_ai", cost_source="enterprise_cost")
        Report.objects.update(report_name="enterprise_cost")
        new_year = DayRange(dt.date(2025, 12, 30), dt.date(2026, 1, 2))

        assert read(new_year).missing == (
            Gap(DayRange(dt.date(2025, 12, 30), dt.date(2026, 1, 1)), Reason.BEFORE_API),
            Gap(DayRange(dt.date(2026, 1, 1), dt.date(2026, 1, 2)), Reason.OUTSIDE_PLAN),
        )

    @pytest.mark.parametrize("reason", ["key_rejected", "scope_missing"])
    def test_a_key_that_upstream_refuses_is_named(self, read, connection, reason):
        change(connection, status=Status.ERROR, reason=reason)

        assert read().missing == (Gap(DAYS, Reason.REFUSED),)

    def test_a_refused_bill_is_named(self, read, connection):
        Report.objects.update(is_refused=True, reason="scope_missing")

        assert read().missing == (Gap(DAYS, Reason.REFUSED),)

    def test_trouble_of_the_bill_is_named(self, read, connection):
        Report.objects.update(reason="upstream_unavailable")

        assert read().missing == (Gap(DAYS, Reason.FAILED),)

    def test_a_key_that_cannot_be_opened_here_is_our_failure(self, read, connection):
        change(connection, status=Status.ERROR, reason="key_unreadable")

        assert read().missing == (Gap(DAYS, Reason.FAILED),)

    def test_one_connection_without_a_day_is_enough(self, read, connection, account):
        store(connection, record(FIRST, "1"), days=ALL)
        other = stored_connection(account, 2, wanted_from=FIRST + 2 * DAY)

        assert read().missing == (Gap(days(1, 2), Reason.OUTSIDE_PLAN), Gap(days(3, 4), Reason.NOT_READ))
        assert read(filters={"connection": [str(connection.pk)]}).missing == ()
        assert not read(filters={"connection": [str(other.pk)]}).is_stored

    @pytest.mark.parametrize(
        ("name", "value"), [("origin", "claude_platform"), ("cost_center", None), ("cost_center", "")]
    )
    def test_those_that_are_not_asked_about_lack_nothing(self, read, connection, account, name, value):
        store(connection, record(FIRST, "1"), days=ALL)
        stored_connection(account, 2, wanted_from=FIRST, origin="claude_ai", cost_center="Lab")

        assert read(filters={name: [value]}).missing == ()
        assert read().missing == (Gap(DAYS, Reason.NOT_READ),)

    def test_another_accounts_days_fill_nothing(self, read, other_account):
        store(stored_connection(other_account, wanted_from=FIRST), record(FIRST, "1"), days=ALL)

        assert not read().is_stored

    def test_usage_is_asked_for_by_itself(self, read, connection):
        store(connection, record(FIRST, "1"), days=ALL)

        assert read(kind="usage").missing == (Gap(DAYS, Reason.NOT_READ),)

    def test_usage_that_is_refused_is_named(self, read, connection):
        Report.objects.create(
            connection=connection,
            report_name="usage_report",
            kind="usage",
            wanted_from=FIRST,
            is_refused=True,
        )

        assert read(kind="usage").missing == (Gap(DAYS, Reason.REFUSED),)


class TestDisconnected:
    @pytest.fixture
    def gone(self, connection):
        change(connection, disconnected_at=utc("2026-10-03T12:00"))
        return connection

    def test_kept_history_is_as_final_as_it_was(self, read, gone):
        store(gone, record(FIRST, "1"), days=ALL[:2])

        assert read(days(1, 2)).state == DayState.SETTLED

    def test_what_came_since_is_missing_where_nobody_else_is_connected(self, read, gone):
        store(gone, record(FIRST, "1"), days=ALL[:2])

        assert read().missing == (Gap(days(3, 4), Reason.DISCONNECTED),)

    def test_what_came_since_is_nobodys_beside_a_live_connection(self, read, gone, account):
        store(gone, record(FIRST, "1"), days=ALL[:2])
        store(stored_connection(account, 2, wanted_from=FIRST), record(FIRST, "1"), days=ALL)

        assert read().state == DayState.SETTLED

    def test_a_hole_in_it_cannot_be_filled(self, read, gone):
        store(gone, record(FIRST, "1"), days=[FIRST])

        assert read(days(1, 2)).missing == (Gap(days(2, 2), Reason.DISCONNECTED),)


class TestToday:
    def test_is_open_beside_stored_days(self, read, connection):
        store(connection, record(FIRST, "1"), days=ALL)

        found = read(today=FIRST + 4 * DAY, asked=days(1, 6))

        assert (found.state, found.missing, found.complete_through) == (DayState.PROVISIONAL, (), ALL[-1])

    def test_alone_and_not_read_is_missing(self, read, connection):
        found = read(today=FIRST, asked=days(1, 1))

        assert (found.state, found.is_stored) == (DayState.MISSING, False)

    def test_days_to_come_are_missing_by_themselves_only(self, read, connection):
        found = read(today=FIRST - DAY)

        assert (found.state, found.missing) == (DayState.MISSING, (Gap(DAYS, Reason.NOT_READ),))


class TestAsOf:
    """Days read on 5 November; what was known is what had been stored."""

    @pytest.fixture
    def connection(self, connection):
        store(connection, record(FIRST, "1"), days=ALL, as_of=utc("2026-11-05"))
        return connection

    def read_then(self, read, moment: str):
        return read(today=dt.date(2026, 12, 1), as_of=utc(moment))

    def test_before_the_first_sync_nothing_is_known(self, read, connection):
        found = self.read_then(read, "2026-11-04")

        assert (found.state, found.is_stored) == (DayState.MISSING, False)
        assert found.missing == (Gap(DAYS, Reason.NOT_READ),)

    def test_after_it_every_day_is(self, read, connection):
        assert self.read_then(read, "2026-11-06").state == DayState.SETTLED

    def test_days_of_an_older_version_are_known_by_their_rows(self, read, connection):
        DayDigest.objects.update(first_stored_at=None, as_of=utc("2026-11-20"))

        assert self.read_then(read, "2026-11-06").days[0].is_stored
        assert not self.read_then(read, "2026-11-06").days[1].is_stored

    def test_a_day_that_was_young_then_was_provisional(self, read, connection):
        DayDigest.objects.update(first_stored_at=utc("2026-10-06"))

        assert self.read_then(read, "2026-10-07").state == DayState.PROVISIONAL

    def test_nobody_knows_how_final_a_day_of_an_older_version_was_before_it_was_read_again(
        self, read, connection
    ):
        DayDigest.objects.update(first_stored_at=None, as_of=utc("2026-11-20"))

        assert self.read_then(read, "2026-11-06").days[0].state == DayState.PROVISIONAL

    def test_a_day_that_was_read_whole_later_was_not_complete_then(self, read, connection):
        DayDigest.objects.filter(day=FIRST).update(
            first_stored_at=utc(f"{FIRST}T10:00"), as_of=utc("2026-11-05")
        )

        assert self.read_then(read, f"{FIRST}T12:00").days[0].is_stored
        assert self.read_then(read, f"{FIRST}T12:00").complete_through is None

    def test_a_change_that_came_later_was_none_then(self, read, connection):
        store(connection, record(FIRST, "2"), as_of=utc("2026-11-20"))

        assert self.read_then(read, "2026-11-06").state == DayState.SETTLED
        assert self.read_then(read, "2026-11-21").state == DayState.REVISED


class TestFilteredBy:
    """A bill that names no key answers no question about one while the report that does is on its way."""

    @pytest.fixture
    def connection(self, connection):
        store(connection, *(record(day, "1") for day in ALL))
        return connection

    def test_a_day_without_cost_has_nothing_to_state(self, read, connection):
        of_keys(connection)
        store(connection, days=ALL)

        assert read(filters={"api_key_id": ["apikey_1"]}).missing == ()

    def test_what_the_bill_states_needs_nothing_else(self, read, connection):
        of_keys(connection)

        assert read(filters={"model": ["opus"]}).state == DayState.SETTLED

    def test_a_day_without_the_report_is_missing(self, read, connection):
        of_keys(connection)
        DayDigest.objects.create(
            connection=connection, source="analytics_cost", day=FIRST, digest=b"", row_count=1,
            amount_usd="1", as_of=utc("2026-12-01"),
        )  # fmt: skip

        assert read(filters={"api_key_id": ["apikey_1"]}).missing == (Gap(days(2, 4), Reason.NOT_READ),)

    def test_a_report_that_differs_from_the_bill_does_not_answer(self, read, connection):
        of_keys(connection)
        DayDigest.objects.create(
            connection=connection, source="analytics_cost", day=FIRST, digest=b"", row_count=1,
            amount_usd="1.01", as_of=utc("2026-12-01"),
        )  # fmt: skip

        assert not read(filters={"api_key_id": ["apikey_1"]}).is_stored

    def test_what_no_report_of_the_connection_states_is_not_waited_for(self, read, connection):
        assert read(filters={"api_key_id": ["apikey_1"]}).state == DayState.SETTLED

    def test_days_before_the_report_are_not_waited_for(self, read, connection):
        of_keys(connection, wanted_from=FIRST + 20 * DAY)

        assert read(filters={"api_key_id": ["apikey_1"]}).state == DayState.SETTLED
