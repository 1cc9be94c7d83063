"""Pages that cannot end well: noticed when they arrive, at the price of a few requests, while other windows go on."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.models import Sum

from accounts.models import Plan
from costs.models import CostFact
from devtools.simulator.process import Simulator
from foundation.periods import DayRange
from integrations.anthropic.reports import analytics
from integrations.models import Connection, Status
from workers import backoff, executor, lanes, lifecycle, paging, runs
from workers.clock import database_now
from workers.lifecycle import NewConnection
from workers.models import Lane, SyncRun, SyncStep

pytestmark = pytest.mark.django_db(transaction=True)

COST_REPORT, ANALYTICS_COST = "/v1/organizations/cost_report", "/v1/organizations/analytics/cost"


@pytest.fixture(autouse=True)
def a_minute(monkeypatch) -> None:
    """Draw no short wait: on a slow machine it would be over before the test has looked."""
    monkeypatch.setattr(backoff, "_draw", lambda _least, base, *_: base)


@pytest.fixture
def year(account, connect) -> Connection:
    """Twelve windows of the bill and the workspaces."""
    account.plan = Plan.PRO
    account.save()
    return connect()


@pytest.fixture
def newest() -> str:
    """What only requests for the newest window have in their query."""
    return f"ending_at={database_now().date() + dt.timedelta(days=1)}"


def asked_for(simulator: Simulator, path: str) -> int:
    return sum(request["path"] == path for request in simulator.requests())


def by_status(report_name: str) -> dict[str, int]:
    steps = SyncStep.objects.filter(report_name=report_name)
    return {status: steps.filter(status=status).count() for status in ("done", "queued", "failed")}


def state(connection: Connection) -> tuple[str, str]:
    connection.refresh_from_db()
    return connection.status, connection.reason


ENDLESS = [
    pytest.param({"circle": 2}, 3, "names a page as the next one that was read already", id="A, B, A"),
    pytest.param({}, 3, "3 pages in a row hold nothing", id="pages without rows"),
    pytest.param({"rows": "same"}, 2, "again, which an earlier page has", id="the same bucket"),
]


class TestPagesWithoutAnEnd:
    @pytest.mark.parametrize(("options", "requests", "words"), ENDLESS)
    def test_of_one_window_are_noticed_at_once(self, year, run_due, simulator, options, requests, words):
        simulator.fault("endless_pages", path=COST_REPORT, times=requests, **options)

        run_due()

        troubled = SyncStep.objects.get(report_name="cost_report", status="queued")
        assert asked_for(simulator, COST_REPORT) == requests + 11
        assert by_status("cost_report") == {"done": 11, "queued": 1, "failed": 0}
        assert words in troubled.detail
        assert (troubled.reason, troubled.failures) == ("upstream_unreadable", 1)
        assert state(year) == (Status.DEGRADED, "upstream_unreadable")

    @pytest.mark.parametrize(("options", "requests", "words"), ENDLESS)
    def test_are_read_when_they_come_to_an_end_again(
        self, year, run_due, simulator, make_due, options, requests, words
    ):
        simulator.fault("endless_pages", path=COST_REPORT, times=requests, **options)
        run_due()

        make_due()
        run_due()

        assert by_status("cost_report") == {"done": 12, "queued": 0, "failed": 0}
        assert state(year) == (Status.ACTIVE, "")

    def test_of_every_window_are_given_up_after_a_bounded_number_of_requests(
        self, connect, account, run_due, simulator, make_due
    ):
        account.plan = Plan.FREE
        account.save()
        connection = connect()
        simulator.fault("endless_pages", path=COST_REPORT, times=-1, circle=2)

        for _ in range(10):
            run_due()
            make_due()

        assert asked_for(simulator, COST_REPORT) == 3 * 8
        assert by_status("cost_report") == {"done": 0, "queued": 0, "failed": 1}
        assert state(connection) == (Status.DEGRADED, "upstream_unreadable")

    def test_end_with_the_window_though_each_has_another_day(self, year, run_due, simulator, newest):
        simulator.fault("endless_pages", path=COST_REPORT, query=newest, times=-1, rows="new")

        run_due()

        troubled = SyncStep.objects.get(report_name="cost_report", status="queued")
        assert "which was not asked for, and promises more" in troubled.detail
        assert asked_for(simulator, COST_REPORT) == 31 + 1 + 11

    def test_end_at_a_number_of_pages_that_nobody_has(
        self, year, run_due, simulator, newest, make_due, monkeypatch
    ):
        """Nothing else tells: no cursor and no row comes twice, and no page is blank."""
        monkeypatch.setitem(paging._MOST_PAGES, "classic", 7)
        simulator.fault("endless_pages", path=COST_REPORT, query=newest, times=-1, rows="new")

        run_due()

        troubled = SyncStep.objects.get(report_name="cost_report", status="queued")
        assert "promises more after 7 pages" in troubled.detail
        assert asked_for(simulator, COST_REPORT) == 7 + 11
        assert state(year) == (Status.DEGRADED, "upstream_unreadable")

    def test_let_the_other_windows_go_first_meanwhile(self, year, run_due, simulator, newest):
        """At one request a minute, a window that goes on and on would keep everybody else waiting for hours."""
        simulator.fault("endless_pages", path=COST_REPORT, query=newest, times=-1, rows="new")

        run_due()

        asked = [newest in request["query"] for request in simulator.requests()]
        assert asked == [True] * 5 + [False] * 12 + [True] * 27


class TestReportsWithoutBuckets:
    @pytest.fixture
    def enterprise(self, account, simulator, settings, monkeypatch) -> Connection:
        """One window of the bill, on about six pages."""
        settings.REPORTS_OFF = frozenset(
            {"enterprise_cost_speed", "enterprise_usage", "enterprise_usage_speed", "members"}
        )
        monkeypatch.setattr(analytics, "MAX_ROWS", 60)
        account.plan = Plan.FREE
        account.save()
        known = simulator.organisations(organisation="acorn-studio.enterprise")[0]
        connection = lifecycle.connect(account, NewConnection(known["enterprise_members_key"]), actor="alice")
        simulator.clear_requests()
        return connection

    def assert_exact(self, connection: Connection, simulator: Simulator) -> None:
        run = SyncRun.objects.get()
        settled = database_now().date() - dt.timedelta(days=2)
        truth = simulator.analytics_truth(connection.organization_id, run.from_day, settled)
        facts = CostFact.objects.filter(connection=connection, day__lt=settled)
        assert facts.aggregate(sum=Sum("amount_usd"))["sum"] == truth.total_usd > 0

    def test_are_read_over_many_pages(self, enterprise, run_due, simulator):
        run_due()

        assert 5 <= asked_for(simulator, ANALYTICS_COST) <= 8
        self.assert_exact(enterprise, simulator)

    def test_are_refused_when_a_page_holds_rows_of_the_page_before(self, enterprise, run_due, simulator):
        simulator.fault("endless_pages", path=ANALYTICS_COST, times=2, rows="same")

        run_due()

        assert asked_for(simulator, ANALYTICS_COST) == 2
        assert "rows again" in SyncStep.objects.get().detail
        assert state(enterprise) == (Status.DEGRADED, "upstream_unreadable")

    def test_are_read_in_smaller_windows_when_each_page_is_of_another_refresh(
        self, enterprise, run_due, simulator
    ):
        """A window of several pages would never be read; of fewer days it fits on one."""
        simulator.fault("refreshed_between_pages", path=ANALYTICS_COST, times=-1)

        run_due()

        run = SyncRun.objects.get()
        windows = SyncStep.objects.order_by("window_start").values_list("window_start", "window_end")
        starts, ends = zip(*windows, strict=True)
        assert (starts[0], ends[-1]) == (run.from_day, run.to_day)
        assert starts[1:] == ends[:-1]
        assert by_status("enterprise_cost") == {"done": len(windows), "queued": 0, "failed": 0}
        assert (run.status, run.steps_done, run.steps_total) == ("succeeded", len(windows), len(windows))
        assert asked_for(simulator, ANALYTICS_COST) < 40
        assert state(enterprise) == (Status.ACTIVE, "")
        self.assert_exact(enterprise, simulator)

    @pytest.mark.parametrize("refreshes", [1, 2])
    def test_are_asked_for_as_a_whole_once_more_before(self, enterprise, run_due, simulator, refreshes):
        simulator.fault("refreshed_between_pages", path=ANALYTICS_COST, times=refreshes)

        run_due()

        assert SyncStep.objects.count() == refreshes
        assert state(enterprise) == (Status.ACTIVE, "")
        self.assert_exact(enterprise, simulator)

    def test_are_given_up_where_a_single_day_never_fits_together(
        self, enterprise, run_due, simulator, make_due, monkeypatch
    ):
        monkeypatch.setattr(analytics, "MAX_ROWS", 3)
        SyncStep.objects.update(window_start=database_now().date() - dt.timedelta(days=4))
        SyncStep.objects.update(window_end=database_now().date() - dt.timedelta(days=3))
        simulator.fault("refreshed_between_pages", path=ANALYTICS_COST, times=-1)

        for _ in range(9):
            run_due()
            make_due()

        assert by_status("enterprise_cost") == {"done": 0, "queued": 0, "failed": 1}
        assert asked_for(simulator, ANALYTICS_COST) == 2 * 8
        assert state(enterprise) == (Status.DEGRADED, "upstream_unavailable")

    def test_begin_anew_at_once_when_their_cursor_has_expired(self, enterprise, run_due, simulator):
        simulator.fault("cursor_expired", path=ANALYTICS_COST, times=1)

        run_due()

        assert SyncStep.objects.get().attempt == 2
        assert state(enterprise) == (Status.ACTIVE, "")
        self.assert_exact(enterprise, simulator)


class TestNothingFinishedYet:
    """Upstream ends a range with its finished days: of today alone nothing is left."""

    WORDS = "Invalid date range: ending date must be after starting date"

    @pytest.fixture
    def synced(self, account, connect, run_due) -> Connection:
        account.plan = Plan.FREE
        account.save()
        connection = connect()
        run_due()
        return connection

    def test_is_no_trouble(self, synced, run_due, simulator):
        today = database_now().date()
        simulator.fault("status", path=COST_REPORT, status=400, message=self.WORDS)

        lifecycle.force_sync(synced, DayRange(today, today + dt.timedelta(days=1)), actor="bob")
        run_due()

        run = SyncRun.objects.get(trigger="force")
        step = run.steps.get(report_name="cost_report")
        assert (step.status, step.reason) == (SyncStep.Status.SKIPPED, "no_usage")
        assert run.status == SyncRun.Status.SUCCEEDED
        assert state(synced) == (Status.ACTIVE, "")

    def test_is_read_by_the_next_sync(self, synced, run_due, simulator):
        today = database_now().date()
        CostFact.objects.filter(day=today).delete()
        simulator.fault("status", path=COST_REPORT, status=400, message=self.WORDS)
        lifecycle.force_sync(synced, DayRange(today, today + dt.timedelta(days=1)), actor="bob")
        run_due()

        lifecycle.force_sync(synced, None, actor="bob")
        run_due()

        assert SyncRun.objects.first().steps.get(report_name="cost_report").status == SyncStep.Status.DONE

    def test_is_no_answer_for_days_long_over(self, synced, run_due, simulator):
        today = database_now().date()
        simulator.fault("status", path=COST_REPORT, status=400, message=self.WORDS)

        old = DayRange(today - dt.timedelta(days=9), today - dt.timedelta(days=5))
        lifecycle.force_sync(synced, old, actor="bob")
        run_due()

        assert state(synced) == (Status.DEGRADED, "upstream_unreadable")


class TestEstimateOfTheEnd:
    def test_lies_behind_the_waits_of_windows_that_are_tried_again(self, year, run_due, simulator):
        simulator.fault("bad_amount", path=COST_REPORT)
        run_due()
        now = database_now()
        waiting_until = now + dt.timedelta(minutes=50)
        SyncStep.objects.filter(status="queued").update(not_before=waiting_until)

        progress = runs.backfill_progress(year, now=now)

        assert progress.requests_left == 1
        assert waiting_until <= progress.eta_at <= waiting_until + dt.timedelta(minutes=1)

    def test_lies_behind_the_block_of_a_rate_limit(self, year, simulator):
        simulator.fault("rate_limit_retry_after", seconds=7200)
        lanes.wake_due()
        executor.process_lane(Lane.objects.get().pk)
        now = database_now()

        progress = runs.backfill_progress(year, now=now)

        assert progress.eta_at > now + dt.timedelta(seconds=7190)


class TestADateInRetryAfter:
    @pytest.mark.parametrize("clock", [0, 3600, -3600])
    def test_is_obeyed_by_the_clock_of_the_answer(self, year, simulator, clock):
        """The server's clock may be an hour off; it says so in the same answer."""
        simulator.fault("rate_limit_retry_after", seconds=70, as_date=True, clock=clock)
        lanes.wake_due()

        executor.process_lane(Lane.objects.get().pk)

        wait = (Lane.objects.get().blocked_until - database_now()).total_seconds()
        assert 65 <= wait <= 71
