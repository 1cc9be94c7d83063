"""Reports beside the bill that are gone, fail or were turned off: the bill comes first and waits for none of them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.models import F

from accounts.models import Plan
from costs import selectors
from costs.models import CostFact
from costs.selectors import CostQuery
from integrations.models import Connection, Status
from tests.sources.conftest import CONSOLE, ENTERPRISE
from workers import executor, lanes, lifecycle
from workers.clock import database_now
from workers.lifecycle import NewConnection
from workers.models import Lane, SyncRun, SyncStep, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

BETA = "Unexpected value(s) `analytics-usage-cost-2026-08-24` for the `anthropic-beta` header. Please try again without it."
HIPAA = "This endpoint is not available for organizations with HIPAA readiness."
ANALYTICS = {"analytics_cost", "analytics_cost_serving", "analytics_usage", "analytics_usage_serving"}
OPEN = SyncStep.Status.QUEUED


@pytest.fixture
def connected(account, simulator, run_due, key_of):
    """Connect the Console organisation for a year; nothing is read yet."""
    account.plan = Plan.PRO
    account.save(update_fields=["plan"])
    connection = lifecycle.connect(account, NewConnection(key_of(CONSOLE)), actor="alice")
    simulator.clear_requests()
    return connection


@pytest.fixture
def hurry():
    """Make everything due that waits, as time would."""

    def pass_time() -> None:
        Lane.objects.exclude(state=Lane.State.IDLE).update(due_at=database_now())
        SyncStep.objects.update(not_before=None)

    return pass_time


def refuse(simulator, path: str, status: int, message: str) -> None:
    simulator.fault("status", path=path, times=-1, status=status, type="x_error", message=message)


def refused(connection: Connection) -> set[str]:
    return set(connection.reports.filter(is_refused=True).values_list("report_name", flat=True))


def asked(simulator) -> list[str]:
    return [request["path"].removeprefix("/v1/organizations/") for request in simulator.requests()]


def one_turn(family: str) -> int:
    Lane.objects.filter(family=family).update(due_at=database_now(), state=Lane.State.WAITING)
    return executor.process_lane(Lane.objects.get(family=family).pk)


class TestGone:
    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (404, "Not found"),
            (405, "Method not allowed"),
            (410, "Gone"),
            (501, "Not implemented"),
            (400, BETA),
            (400, HIPAA),
        ],
    )
    def test_counts_as_no_such_report_and_shares_follow_at_once(
        self, filled, simulator, days, status, message
    ):
        refuse(simulator, "analytics", status, message)

        connection = filled(CONSOLE)

        truth = simulator.truth(connection.organization_id, days.start, days.end).total_usd
        shares = CostFact.objects.filter(connection=connection, attribution="token_share")
        assert (connection.status, connection.reason) == (Status.ACTIVE, "")
        assert refused(connection) == ANALYTICS
        assert selectors.total(CostQuery(connection.account_id, days)) == truth
        assert shares.exclude(api_key_id=None).exists()
        assert not SyncRun.objects.filter(status__in=SyncRun.ACTIVE).exists()

    def test_is_asked_for_once(self, filled, simulator):
        simulator.clear_requests()
        refuse(simulator, "analytics/cost$", 404, "Not found")
        filled(CONSOLE)

        # The probe, and once each for the two reports of this address.
        assert asked(simulator).count("analytics/cost") == 3

    @pytest.mark.parametrize(
        ("path", "streams"),
        [("usage_report/messages", {"usage_report"}), ("claude_code", {"claude_code"}), ("users", {"users"})],
    )
    def test_may_be_a_classic_one_or_a_list_of_names(self, filled, simulator, path, streams):
        refuse(simulator, path, 404, "Not found")

        connection = filled(CONSOLE)

        assert (connection.status, refused(connection)) == (Status.ACTIVE, streams)

    def test_says_so_at_the_report(self, filled, simulator):
        refuse(simulator, "analytics", 404, "Not found")

        report = filled(CONSOLE).reports.get(report_name="analytics_cost")

        assert report.detail == "Anthropic has no such report for this organisation: status 404: Not found."

    def test_has_a_cause_of_its_own_for_hipaa(self, filled, simulator):
        refuse(simulator, "analytics", 400, HIPAA)

        report = filled(CONSOLE).reports.get(report_name="analytics_usage")

        assert (report.is_refused, report.reason) == (True, "hipaa_not_served")

    def test_is_read_in_its_older_form_for_an_enterprise(self, filled, simulator):
        for path in ("analytics/cost$", "analytics/usage$"):
            refuse(simulator, path, 501, "Not implemented")

        connection = filled(ENTERPRISE)

        assert (connection.status, connection.cost_source) == (Status.ACTIVE, "enterprise_cost_report")

    def test_is_believed_of_a_stranger_on_the_way_only_after_a_while(self, filled, simulator, run_due, hurry):
        simulator.fault("gateway_html", status=404, path="analytics/usage", times=-1)
        connection = filled(CONSOLE)
        at_first = refused(connection)

        for _ in range(3):
            hurry()
            run_due()

        assert at_first == set()
        assert refused(connection) == {"analytics_usage", "analytics_usage_serving"}

    def test_bill_is_not_done_without(self, filled, simulator):
        refuse(simulator, "cost_report", 404, "Not found")

        connection = filled(CONSOLE)

        assert (connection.status, connection.reason) == (Status.DEGRADED, "upstream_unreadable")
        assert "cost_report" not in refused(connection)


class TestInTrouble:
    @pytest.mark.parametrize("kind", ["server_error", "not_json"])
    def test_keeps_no_connection_backfilling(self, filled, simulator, kind):
        simulator.fault(kind, path="analytics", times=-1)

        connection = filled(CONSOLE)

        assert connection.last_synced_at is not None
        assert SyncRun.objects.filter(status__in=SyncRun.ACTIVE).get().lane.family == "analytics"
        assert connection.status == Status.ACTIVE

    def test_keeps_the_success_of_the_bill_from_nobody(self, filled, simulator):
        """Its run stays open for as long as upstream fails, which may be for ever."""
        simulator.fault("server_error", path="usage_report", times=-1)

        connection = filled(CONSOLE)

        assert SyncRun.objects.get(lane__family="classic").status == SyncRun.Status.RUNNING
        assert connection.last_synced_at is not None
        assert connection.status == Status.ACTIVE

    def test_says_backfilling_while_something_else_is_still_expected(self, connected, simulator):
        simulator.fault("server_error", path="usage_report/messages", times=-1)
        for _ in range(3):
            one_turn("classic")

        connected.refresh_from_db()
        assert SyncStep.objects.filter(report_name="usage_report", failures__gt=0).exists()
        assert connected.status == Status.BACKFILLING

    def test_says_backfilling_again_once_it_is_read_again(self, connected, simulator, run_due, hurry):
        """Trouble that passes is no end: the days of the other reports come all the same."""
        simulator.fault("server_error", path="analytics", times=-1)
        run_due()
        connected.refresh_from_db()
        in_trouble = connected.status
        simulator.clear_faults()
        hurry()

        one_turn("analytics")

        connected.refresh_from_db()
        assert SyncStep.objects.filter(run__lane__family="analytics", status=OPEN).exists()
        assert (in_trouble, connected.status) == (Status.ACTIVE, Status.BACKFILLING)

    def test_lets_the_bill_go_on_without_a_wait(self, connected, simulator, run_due):
        """The lane would wait for up to half an hour, with eleven months of the bill behind it."""
        simulator.fault("server_error", path="usage_report/messages", times=-1)

        run_due()

        bill = SyncStep.objects.filter(report_name="cost_report")
        assert set(bill.values_list("status", flat=True)) == {SyncStep.Status.DONE}

    def test_is_tried_after_everything_else(self, connected, simulator):
        simulator.fault("server_error", path="usage_report/messages", times=1)
        one_turn("classic")
        one_turn("classic")
        troubled = SyncStep.objects.get(failures__gt=0)
        SyncStep.objects.filter(pk=troubled.pk).update(not_before=None)

        simulator.clear_requests()
        one_turn("classic")

        troubled.refresh_from_db()
        assert "cost_report" in asked(simulator)
        assert troubled.status == OPEN

    def test_does_not_keep_older_gaps_of_the_bill_from_being_healed(self, filled, simulator):
        simulator.fault("server_error", path="usage_report", times=-1)
        connection = filled(CONSOLE)
        gap = database_now().date() - dt.timedelta(days=20)
        Connection.objects.update(settled_through=gap)

        run, _ = lifecycle.force_sync(connection, None, actor="bob")

        assert run.from_day <= gap + dt.timedelta(days=1)


class TestABillOfTheOtherFamily:
    """The analytics report was chosen as the bill of a Console connection."""

    @pytest.fixture
    def chosen(self, filled, simulator):
        filled(CONSOLE)
        Connection.objects.update(cost_source="analytics_cost", last_synced_at=None)
        return Connection.objects.get()

    def test_is_no_success_while_only_the_other_reports_are_read(self, chosen, simulator, run_due):
        simulator.fault("server_error", path="analytics", times=-1)
        lifecycle.force_sync(chosen, None, actor="bob")

        run_due()

        chosen.refresh_from_db()
        classic = SyncRun.objects.get(lane__family="classic", trigger=Trigger.FORCE)
        assert classic.status == SyncRun.Status.SUCCEEDED
        assert chosen.last_synced_at is None

    def test_is_a_success_once_it_is_read(self, chosen, run_due):
        lifecycle.force_sync(chosen, None, actor="bob")

        run_due()

        chosen.refresh_from_db()
        assert chosen.last_synced_at is not None


class TestForcedSync:
    @pytest.fixture
    def forced(self, filled, simulator):
        connection = filled(CONSOLE, Plan.PRO)
        simulator.clear_requests()
        today = database_now().date()
        days = lifecycle.DayRange(today - dt.timedelta(days=90), today)
        run, _ = lifecycle.force_sync(connection, days, actor="bob")
        return run

    def test_reads_the_whole_bill_first(self, forced, simulator, run_due):
        run_due()

        classic = [path for path in asked(simulator) if not path.startswith("analytics")]
        assert classic[:3] == ["cost_report"] * 3
        assert "cost_report" not in classic[3:]

    def test_reads_the_bill_of_somebody_else_before_its_other_reports(
        self, filled, simulator, other_account, key_of, run_due
    ):
        filled(CONSOLE)
        other = lifecycle.connect(other_account, NewConnection(key_of(CONSOLE)), actor="carol")
        run_due()
        for connection in Connection.objects.all():
            lifecycle.force_sync(connection, None, actor="bob")

        simulator.clear_requests()
        one_turn("classic")

        assert asked(simulator)[:2] == ["cost_report", "cost_report"]
        assert (
            SyncStep.objects.get(
                run__connection=other, run__trigger=Trigger.FORCE, report_name="cost_report"
            ).status
            == "done"
        )

    def test_reads_the_bill_again_for_who_asks_again_though_another_report_is_stuck(
        self, filled, simulator, run_due
    ):
        connection = filled(CONSOLE)
        simulator.fault("server_error", path="usage_report", times=-1)
        first, _ = lifecycle.force_sync(connection, None, actor="bob")
        run_due()
        SyncStep.objects.update(finished_at=F("finished_at") - dt.timedelta(minutes=11))
        simulator.clear_requests()

        again, is_new = lifecycle.force_sync(connection, None, actor="bob")
        run_due()

        assert (again, is_new) == (first, False)
        assert asked(simulator).count("cost_report") == 1

    def test_reads_it_no_second_time_for_who_asks_without_end(self, filled, simulator, run_due):
        connection = filled(CONSOLE)
        simulator.fault("server_error", path="usage_report", times=-1)
        lifecycle.force_sync(connection, None, actor="bob")
        run_due()
        simulator.clear_requests()

        lifecycle.force_sync(connection, None, actor="bob")
        run_due()

        assert "cost_report" not in asked(simulator)


class TestDailySync:
    def test_reads_the_whole_bill_first(self, filled, simulator, run_due):
        connection = filled(CONSOLE)
        gap = database_now().date() - dt.timedelta(days=60)
        Connection.objects.update(settled_through=gap, wanted_from=gap, next_sync_at=database_now())
        connection.reports.update(wanted_from=gap)
        simulator.clear_requests()

        run_due()

        classic = [path for path in asked(simulator) if not path.startswith("analytics")]
        bills = classic.count("cost_report")
        assert bills > 1
        assert classic[:bills] == ["cost_report"] * bills


class TestTurnedOff:
    OFF = frozenset(ANALYTICS | {"claude_code"})

    def test_asks_for_no_step_that_was_queued_before(self, connected, simulator, run_due, settings):
        settings.REPORTS_OFF = self.OFF

        run_due()

        connected.refresh_from_db()
        assert not [
            path for path in asked(simulator) if path.startswith("analytics") or "claude_code" in path
        ]
        assert connected.status == Status.ACTIVE
        assert not SyncRun.objects.filter(status__in=SyncRun.ACTIVE).exists()

    def test_shares_out_what_it_would_have_answered_for(self, connected, run_due, settings):
        one_turn("classic")
        settings.REPORTS_OFF = self.OFF

        run_due()

        assert CostFact.objects.filter(connection=connected, attribution="token_share").exists()

    def test_closes_a_step_that_waits_for_its_next_try(self, connected, simulator, run_due, settings):
        simulator.fault("server_error", path="analytics", times=-1)
        run_due()
        settings.REPORTS_OFF = self.OFF

        one_turn("analytics")

        assert not SyncStep.objects.filter(report_name__in=ANALYTICS, status=OPEN).exists()
        assert Lane.objects.get(family="analytics").state == Lane.State.IDLE
        assert lanes.wake_due() == []

    def test_holds_no_day_of_the_others_open(self, filled, settings, run_due, simulator):
        simulator.fault("server_error", path="claude_code", times=-1)
        connection = filled(CONSOLE)
        settings.REPORTS_OFF = frozenset({"claude_code"})

        lifecycle.force_sync(connection, None, actor="bob")
        run_due()

        connection.refresh_from_db()
        assert connection.settled_through is not None
