from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core import mail
from django.db.models import Sum

from accounts.models import Plan
from alerts import outbox
from costs.models import CostFact, Resource, Restatement, SupersededCost
from integrations.models import Connection, Status
from workers import executor, lanes, lifecycle, outcomes
from workers.bucket import rate_of, redis_client
from workers.clock import database_now
from workers.models import Lane, Page, SyncRun, SyncStep

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_month(account):
    """Most of what follows needs one window and the names: two requests."""
    account.plan = Plan.FREE
    account.save()


@pytest.fixture
def a_year(account, a_month):
    """Twelve windows and the names."""
    account.plan = Plan.PRO
    account.save()


def state(connection: Connection) -> tuple[str, str]:
    connection.refresh_from_db()
    return connection.status, connection.reason


def is_exact(connection: Connection, simulator) -> bool:
    run = SyncRun.objects.filter(connection=connection).earliest("requested_at")
    truth = simulator.truth(connection.organization_id, run.from_day, run.to_day)
    stored = CostFact.objects.filter(connection=connection).aggregate(sum=Sum("amount_usd"))["sum"]
    return stored == truth.total_usd


def one_turn() -> int:
    return sum(executor.process_lane(lane_id) for lane_id in lanes.wake_due())


class TestBackfill:
    def test_stores_every_cent_of_a_year_in_the_fewest_requests(self, a_year, connect, simulator, run_due):
        connection = connect()

        run_due()

        # 366 days (today included) in windows of 31: 12 requests; one more for the workspaces.
        paths = [request["path"] for request in simulator.requests()]
        assert paths.count("/v1/organizations/cost_report") == 12
        assert len(paths) == 13
        assert is_exact(connection, simulator)
        assert state(connection) == (Status.ACTIVE, "")

    def test_fetches_the_newest_month_first_and_names_next(self, a_year, connect, run_due):
        connect()

        run_due()

        steps = list(SyncStep.objects.order_by("finished_at").values_list("report_name", "window_end"))
        assert steps[0] == ("cost_report", max(end for spec, end in steps if spec == "cost_report"))
        assert steps[1][0] == "workspaces"

    def test_keeps_each_answer(self, a_year, connect, run_due):
        connect()

        run_due()

        assert Page.objects.count() == 13
        assert all(Page.objects.values_list("request_id", flat=True))

    def test_learns_the_default_workspace(self, connect, run_due):
        connect()

        run_due()

        assert Resource.objects.filter(kind="workspace", is_default=True).count() == 1

    def test_tells_people_once_that_the_first_data_is_here(self, connect, run_due, admin_user):
        connect()
        run_due()

        outbox.send_due(now=database_now())
        outbox.send_due(now=database_now())

        assert [message.bcc for message in mail.outbox] == [["alice@example.com"]]
        assert "first cost data" in mail.outbox[0].subject

    def test_says_when_there_is_no_usage(self, connect, run_due):
        connection = connect("dormant-labs")

        run_due()

        assert state(connection) == (Status.ACTIVE, "no_usage")


class TestSecondSync:
    def test_changes_nothing(self, connect, run_due, simulator):
        connection = connect()
        run_due()
        run, _ = lifecycle.force_sync(connection, None, actor="alice")

        run_due()

        run.refresh_from_db()
        assert (run.rows_added, run.rows_changed, run.rows_removed) == (0, 0, 0)
        assert run.rows_unchanged > 0


class TestRestatedDay:
    def test_replaces_the_day_and_keeps_what_it_was(self, connect, run_due, simulator):
        connection = connect()
        run_due()
        day = database_now().date() - dt.timedelta(days=3)
        simulator.world("acorn-studio", "restate_day", day=str(day), factor="1.25")
        lifecycle.force_sync(connection, None, actor="alice")

        run_due()

        found = Restatement.objects.get(day=day)
        simulator.world("acorn-studio", "restore_day", day=str(day))
        assert found.after_usd != found.before_usd
        assert SupersededCost.objects.filter(day=day).count() == found.rows_changed

    def test_drops_a_row_that_vanished(self, connect, run_due, simulator):
        connection = connect()
        run_due()
        day = database_now().date() - dt.timedelta(days=2)
        rows = CostFact.objects.filter(day=day).count()
        simulator.world("acorn-studio", "vanish_row", day=str(day), index=0)
        lifecycle.force_sync(connection, None, actor="alice")

        run_due()

        simulator.world("acorn-studio", "restore_day", day=str(day))
        assert CostFact.objects.filter(day=day).count() == rows - 1


class TestNoToken:
    def test_parks_the_lane_until_there_is_one(self, a_year, connect, simulator, settings):
        settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 4
        connect()  # two tokens for the probe; one is left to connection tests

        assert one_turn() == 1

        lane = Lane.objects.get()
        wait = (lane.due_at - database_now()).total_seconds()
        assert lane.state == Lane.State.WAITING
        assert 55 < wait <= 61
        assert len(simulator.requests()) == 1

    def test_lets_a_forced_sync_use_the_last_one(self, a_year, connect, simulator, settings):
        settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 4
        connection = connect()
        one_turn()
        run, _ = lifecycle.force_sync(connection, None, actor="alice")

        assert one_turn() == 1

        run.refresh_from_db()
        assert run.requests == 1

    def test_waits_without_redis(self, connect, settings, monkeypatch):
        connect()
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        redis_client.cache_clear()

        one_turn()

        redis_client.cache_clear()
        lane = Lane.objects.get()
        assert lane.state == Lane.State.WAITING
        assert SyncRun.objects.get().requests == 0


class TestTemporaryTrouble:
    @pytest.mark.parametrize(
        ("kind", "options", "reason"),
        [
            ("server_error", {}, "upstream_unavailable"),
            ("overloaded", {}, "upstream_unavailable"),
            ("gateway_html", {}, "upstream_unavailable"),
            ("connection_reset", {}, "upstream_unavailable"),
            ("rate_limit_bare", {}, "rate_limited"),
        ],
    )
    def test_is_shown_and_mends_itself(self, connect, simulator, run_due, make_due, kind, options, reason):
        connection = connect()
        simulator.fault(kind, path="/v1/organizations/cost_report", **options)
        run_due()

        shown = state(connection)
        redis_client().flushdb()
        Lane.objects.update(blocked_until=None, level_us=10**9)
        make_due()
        run_due()

        assert shown == (Status.DEGRADED, reason)
        assert state(connection) == (Status.ACTIVE, "")
        assert is_exact(connection, simulator)

    def test_waits_as_long_as_retry_after_says(self, connect, simulator, run_due):
        connection = connect()
        simulator.fault("rate_limit_retry_after", seconds=120, path="/v1/organizations/cost_report")

        run_due()

        lane = Lane.objects.get()
        assert 115 < (lane.due_at - database_now()).total_seconds() <= 120
        assert lane.blocked_until is not None
        assert not lane_bucket(connection).acquire(lanes.seed_of(lane.organization_id, "classic")).granted

    @pytest.mark.parametrize(
        "kind", ["not_json", "html_200", "cut_body", "bad_amount", "currency_eur", "day_outside_window"]
    )
    def test_leaves_stored_facts_alone_when_the_answer_cannot_be_trusted(
        self, connect, simulator, run_due, make_due, kind
    ):
        connection = connect()
        run_due()
        before = list(CostFact.objects.order_by("id").values_list("id", "amount_usd"))
        simulator.fault(kind, path="/v1/organizations/cost_report")
        lifecycle.force_sync(connection, None, actor="alice")

        run_due()

        after = list(CostFact.objects.order_by("id").values_list("id", "amount_usd"))
        shown = state(connection)
        make_due()
        run_due()
        assert after == before
        assert shown[0] == Status.DEGRADED
        assert shown[1] in {"upstream_unreadable", "upstream_unavailable"}
        assert state(connection) == (Status.ACTIVE, "")

    def test_goes_on_with_other_windows_while_one_is_refused(self, a_year, connect, simulator, run_due):
        connect()
        simulator.fault("bad_amount", path="/v1/organizations/cost_report")

        run_due()

        # The refused one waits for a time that is drawn; on a slow machine it may have had its turn again.
        assert SyncStep.objects.get(attempt=2)
        assert not SyncStep.objects.filter(attempt=1).exclude(status=SyncStep.Status.DONE).exists()

    def test_gives_a_step_up_that_is_refused_again_and_again(self, connect, simulator, run_due, make_due):
        connection = connect()
        simulator.fault("bad_amount", path="/v1/organizations/cost_report", times=-1)
        for _ in range(10):
            run_due()
            make_due()

        run = SyncRun.objects.get()
        assert run.status == SyncRun.Status.FAILED
        assert run.reason == "upstream_unreadable"
        assert state(connection) == (Status.DEGRADED, "upstream_unreadable")


def lane_bucket(connection: Connection):
    from workers.bucket import Bucket

    return Bucket(lanes.owner_key(connection.organization_id, "classic"), rate_of("classic"))


class TestPersonNeeded:
    def test_stops_and_writes_to_people_when_the_key_is_revoked(
        self, connect, simulator, run_due, admin_user
    ):
        connection = connect()
        simulator.fault("revoked", times=-1)

        run_due()

        outbox.send_due(now=database_now())
        assert state(connection) == (Status.ERROR, "key_rejected")
        assert Lane.objects.get().state == Lane.State.IDLE
        assert "needs you" in mail.outbox[0].subject
        assert len(simulator.requests()) == 1

    def test_goes_on_where_it_stopped_after_a_new_key(self, a_year, connect, simulator, run_due, admin_user):
        connection = connect()
        simulator.fault("revoked", after=3)
        run_due()
        stopped = state(connection)
        new_key = simulator.world("acorn-studio", "new_key")["key"]

        lifecycle.rotate_key(connection, new_key, actor="alice")
        run_due()

        outbox.send_due(now=database_now())
        assert stopped == (Status.ERROR, "key_rejected")
        assert state(connection) == (Status.ACTIVE, "")
        assert is_exact(connection, simulator)
        assert [m.subject for m in mail.outbox][-1].endswith("works again")

    def test_refusal_of_the_old_key_does_not_stop_the_new_one(self, connect, simulator, run_due, monkeypatch):
        """Rotated while a request with the old key was under way."""
        connection = connect()
        simulator.fault("revoked", times=1)
        record, refusals = outcomes.record_failure, []

        def rotated_meanwhile(*told: Any, **options: Any) -> bool:
            if not refusals:
                new_key = simulator.world("acorn-studio", "new_key")["key"]
                lifecycle.rotate_key(Connection.objects.get(), new_key, actor="alice")
            refusals.append(told)
            return record(*told, **options)

        monkeypatch.setattr(outcomes, "record_failure", rotated_meanwhile)
        run_due()

        outbox.send_due(now=database_now())
        assert len(refusals) == 1
        assert state(connection) == (Status.ACTIVE, "")
        assert is_exact(connection, simulator)
        assert not any("needs you" in message.subject for message in mail.outbox)

    def test_does_without_names_it_may_not_read(self, connect, simulator, run_due):
        connection = connect()
        simulator.fault("missing_scope", path="/v1/organizations/workspaces", times=-1)

        run_due()

        assert state(connection) == (Status.ACTIVE, "")
        assert SyncStep.objects.get(report_name="workspaces").status == SyncStep.Status.SKIPPED
        assert is_exact(connection, simulator)


class TestPoison:
    def test_stops_a_run_that_never_gets_an_outcome(self, connect, run_due):
        connection = connect()
        SyncRun.objects.update(claims_since_progress=5)

        run_due()

        assert SyncRun.objects.get().status == SyncRun.Status.FAILED
        assert state(connection)[0] == Status.DEGRADED


class TestLateHolder:
    def test_writes_nothing_after_its_lease_was_taken(self, connect, simulator, monkeypatch):
        connect()
        from integrations.anthropic.client import AnthropicClient

        original = AnthropicClient.fetch

        def slow(self, request):
            page = original(self, request)
            # Meanwhile the lease runs out and another worker claims the lane.
            Lane.objects.update(due_at=database_now())
            assert lanes.claim(Lane.objects.get().pk) is not None
            return page

        monkeypatch.setattr(AnthropicClient, "fetch", slow)
        one_turn()

        assert Page.objects.count() == 0
        assert CostFact.objects.count() == 0
        assert Lane.objects.get().state == Lane.State.LEASED


class TestDisconnectMidRun:
    def test_drops_an_answer_that_arrives_after_history_was_erased(self, connect, monkeypatch):
        connection = connect()
        from integrations.anthropic.client import AnthropicClient

        original = AnthropicClient.fetch

        def erased_meanwhile(self, request):
            page = original(self, request)
            if Connection.objects.exists():
                lifecycle.disconnect(connection, erase=True, actor="alice")
            return page

        monkeypatch.setattr(AnthropicClient, "fetch", erased_meanwhile)
        one_turn()

        assert not Connection.objects.exists()
        assert Page.objects.count() == CostFact.objects.count() == SyncRun.objects.count() == 0
        assert not Lane.objects.exists()
