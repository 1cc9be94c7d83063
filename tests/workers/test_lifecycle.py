from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from accounts.models import AuditEvent, Plan
from alerts.models import OutboxMessage
from costs.models import CostFact
from foundation.periods import DayRange
from integrations import connections
from integrations.anthropic.client import Organization
from integrations.connections import LabelTakenError, RefusedError
from integrations.models import Connection, Credential, Status
from workers import lanes, lifecycle
from workers.bucket import rate_of, redis_client
from workers.clock import database_now
from workers.lanes import LeaseLostError
from workers.lifecycle import ConnectionStandsStillError, NewConnection
from workers.models import Lane, Page, SyncRun, Trigger

pytestmark = pytest.mark.django_db(transaction=True)


def key_of(simulator, slug: str, kind: str = "admin_key") -> str:
    return simulator.organisations(organisation=slug)[0][kind]


def probe_of(account, key: str):
    return lifecycle.check_key(account, key, actor="alice")


class TestConnect:
    def test_gives_a_default_label_and_numbers_it_when_taken(self, account, connect):
        connect("acorn-studio", label="Anthropic – Birch Logistics GmbH")

        assert connect("birch-logistics").label == "Anthropic – Birch Logistics GmbH (2)"

    def test_numbers_a_label_that_somebody_else_has_since(self, account, connect):
        """Nobody asked for the label of a connection that is revived: it is the one from before."""
        lifecycle.disconnect(connect("acorn-studio", label="Main"), erase=False, actor="alice")
        connect("birch-logistics", label="Main")

        assert connect("acorn-studio").label == "Main (2)"

    def test_numbers_the_labels_of_all_that_connect_at_once(self, account, simulator, monkeypatch):
        """Four organisations of one name: each has read which labels are taken before any of them is stored."""
        key = key_of(simulator, "acorn-studio")
        found = probe_of(account, key)
        all_four = threading.Barrier(4, timeout=20)
        free_label, waited = connections.free_label, threading.local()

        def read_together(*args: Any) -> str:
            label = free_label(*args)
            if not hasattr(waited, "once"):
                waited.once = all_four.wait()
            return label

        monkeypatch.setattr(connections, "free_label", read_together)

        def store(number: int) -> Connection:
            of_it = replace(found, organization=Organization(f"org-{number}", "Twin Ltd"))
            return connections.store(account, NewConnection(key), of_it, now=timezone.now())

        stored = together(*(partial(store, number) for number in range(4)))

        assert sorted(str(each) for each in stored) == [
            "Anthropic – Twin Ltd", "Anthropic – Twin Ltd (2)", "Anthropic – Twin Ltd (3)", "Anthropic – Twin Ltd (4)",
        ]  # fmt: skip

    @pytest.mark.parametrize(("plan", "days"), [(Plan.FREE, 31), (Plan.PRO, 366), (Plan.ULTIMATE, 366)])
    def test_fills_as_far_back_as_the_plan_allows(self, account, connect, plan, days):
        account.plan = plan
        account.save()

        connect()

        run = SyncRun.objects.get()
        assert (run.to_day - run.from_day).days == days

    def test_counts_back_from_the_clock_of_the_database(self, connect, monkeypatch):
        before = database_now()
        monkeypatch.setattr(timezone, "now", lambda: before - dt.timedelta(days=3))

        connection = connect()

        assert before <= connection.connected_at <= database_now()
        assert connection.wanted_from == SyncRun.objects.get().from_day

    def test_refuses_the_same_organisation_with_the_name_of_the_existing_connection(self, connect):
        first = connect(label="Main")

        with pytest.raises(RefusedError) as caught:
            connect()

        assert caught.value.advice.reason == "already_connected"
        assert "Main" in caught.value.advice.detail
        assert caught.value.connection == first

    def test_refuses_a_label_that_is_taken(self, connect):
        connect("acorn-studio", label="Main")

        with pytest.raises(LabelTakenError, match="Main"):
            connect("birch-logistics", label="Main")

    def test_stores_nothing_when_the_key_does_not_pass(self, account, simulator):
        with pytest.raises(RefusedError):
            lifecycle.connect(account, NewConnection("sk-ant-admin01-wrong-key-000000"), actor="alice")

        assert Connection.objects.count() == Credential.objects.count() == SyncRun.objects.count() == 0

    def test_lets_two_accounts_connect_one_organisation_on_one_lane(self, other_account, connect, simulator):
        first = connect()

        key = key_of(simulator, "acorn-studio")
        second = lifecycle.connect(other_account, NewConnection(key), actor="charlie")

        assert first.runs.get().lane == second.runs.get().lane

    def test_shows_a_hint_only(self, connect):
        assert connect().key_hint.startswith("sk-ant-admin01-…")
        assert len(connect("birch-logistics").key_hint) == len("sk-ant-admin01-…") + 4


class TestEachCause:
    """Every cause a key can have, provoked, with the words a person reads."""

    @pytest.mark.parametrize(
        ("key", "reason", "words"),
        [
            ("hello", "key_malformed", "starts with sk-ant-"),
            ("sk-ant-admin01-with space", "key_malformed", "whole key"),
            ("sk-ant-admin01-nobody-knows-this-key", "key_rejected", "Create another key"),
        ],
    )
    def test_of_a_wrong_text(self, account, simulator, key, reason, words):
        found = probe_of(account, key)

        assert (found.ok, found.reason) == (False, reason)
        assert words in f"{found.detail} {found.remedy}"

    def test_of_a_key_of_another_kind(self, account, simulator):
        found = probe_of(account, key_of(simulator, "acorn-studio", "inference_key"))

        assert (found.ok, found.reason) == (False, "key_wrong_kind")
        assert "calling models" in found.detail

    def test_of_a_key_that_may_read_no_bill(self, account, simulator):
        simulator.fault("missing_scope", path="cost", times=-1)

        found = probe_of(account, key_of(simulator, "acorn-studio"))

        assert (found.ok, found.reason) == (False, "scope_missing")
        assert found.remedy

    @pytest.mark.parametrize(
        ("kind", "options", "reason"),
        [
            ("rate_limit_retry_after", {"seconds": 7}, "rate_limited"),
            ("server_error", {}, "upstream_unavailable"),
            ("overloaded", {}, "upstream_unavailable"),
            ("not_json", {}, "upstream_unreadable"),
        ],
    )
    def test_of_an_upstream_in_trouble(self, account, simulator, kind, options, reason):
        simulator.fault(kind, path="/v1/organizations/cost_report", times=-1, **options)

        found = probe_of(account, key_of(simulator, "acorn-studio"))

        assert (found.ok, found.reason) == (False, reason)
        assert found.remedy

    def test_of_an_individual_account(self, account, simulator):
        simulator.fault(
            "status", status=403, type="permission_error", path="/v1/organizations/me",
            message="This API is only available to organizations. Individual accounts cannot use it.",
        )  # fmt: skip

        found = probe_of(account, key_of(simulator, "acorn-studio"))

        assert (found.ok, found.reason) == (False, "organization_required")
        assert "organisation" in found.remedy

    def test_of_nothing_used_yet(self, account, simulator):
        found = probe_of(account, key_of(simulator, "dormant-labs"))

        assert (found.ok, found.reason) == (True, "no_usage")

    def test_of_no_server_at_all(self, account, settings):
        settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:1"

        found = probe_of(account, "sk-ant-admin01-any-key-of-any-length")

        assert (found.ok, found.reason) == (False, "upstream_unavailable")

    def test_of_our_own_limit(self, account, simulator, settings):
        settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 2
        key = key_of(simulator, "acorn-studio")
        probe_of(account, key)
        simulator.clear_requests()

        found = probe_of(account, key)

        assert (found.ok, found.reason) == (False, "rate_limited")
        assert "UTC" in found.remedy
        assert simulator.requests() == []


class TestWithoutRedis:
    @pytest.fixture
    def no_redis(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        redis_client.cache_clear()
        yield
        redis_client.cache_clear()

    def test_a_key_cannot_be_tested_and_nothing_is_asked(self, account, simulator, no_redis):
        simulator.clear_requests()

        found = probe_of(account, key_of(simulator, "acorn-studio"))

        assert (found.ok, found.reason) == (False, "upstream_unavailable")
        assert "Redis" in found.detail
        assert simulator.requests() == []

    def test_nothing_is_connected(self, account, simulator, no_redis):
        with pytest.raises(RefusedError):
            lifecycle.connect(account, NewConnection(key_of(simulator, "acorn-studio")), actor="alice")

        assert Connection.objects.count() == 0


class TestTest:
    def test_mends_a_connection_whose_key_works_again(self, connect, simulator, run_due):
        connection = connect()
        simulator.fault("revoked")
        run_due()
        connection.refresh_from_db()
        broken = connection.status

        lifecycle.check_connection(connection, actor="alice")

        assert broken == Status.ERROR
        assert connection.status == Status.BACKFILLING

    def test_marks_a_connection_whose_key_was_revoked(self, connect, simulator):
        connection = connect()
        simulator.fault("revoked", times=-1)

        lifecycle.check_connection(connection, actor="alice")

        assert (connection.status, connection.reason) == (Status.ERROR, "key_rejected")

    def test_says_when_the_stored_key_cannot_be_opened(self, connect):
        connection = connect()

        with override_settings(CREDENTIAL_KEYS=(("other", b"0" * 32),)):
            found = lifecycle.check_connection(connection, actor="alice")

        assert found.reason == "key_unreadable"
        assert "CREDENTIAL_KEYS" in found.remedy

    def test_leaves_a_paused_one_paused_whatever_is_wrong_with_its_key(self, connect, simulator):
        """Who paused it resumes it; nobody is written to about what stands still because somebody wanted it to."""
        connection = connect()
        lifecycle.pause(connection, actor="alice")
        simulator.fault("revoked", times=-1)

        result = lifecycle.check_connection(connection, actor="alice")

        assert result.reason == "key_rejected"
        assert (connection.status, connection.reason) == (Status.PAUSED, "")
        assert not OutboxMessage.objects.exists()

    def test_notes_its_tokens_where_a_flush_of_redis_does_not_reach(self, connect, settings):
        settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 20
        connection = connect()
        before = lanes.seed_of(connection.organization_id, "classic").level_us

        lifecycle.check_connection(connection, actor="alice")

        after = lanes.seed_of(connection.organization_id, "classic").level_us
        assert before - after > 1.9 * rate_of("classic").interval_us


class TestRotateKey:
    def test_refuses_a_key_of_another_organisation_and_names_both(self, connect, simulator):
        connection = connect()

        with pytest.raises(RefusedError) as caught:
            lifecycle.rotate_key(connection, key_of(simulator, "birch-logistics"), actor="alice")

        assert caught.value.advice.reason == "organization_mismatch"
        assert "Acorn Studio" in caught.value.advice.detail
        assert "Birch Logistics" in caught.value.advice.detail

    def test_replaces_the_key_in_place(self, connect, simulator):
        connection = connect()
        before = bytes(connection.credential.sealed)
        new_key = simulator.world("acorn-studio", "new_key")["key"]

        lifecycle.rotate_key(connection, new_key, actor="alice")

        assert connection.key_hint.endswith(new_key[-4:])
        assert bytes(Credential.objects.get().sealed) != before


class TestForceSync:
    def test_fetches_today_and_the_trailing_days(self, connect, run_due):
        connection = connect()
        run_due()
        connection.refresh_from_db()

        run, created = lifecycle.force_sync(connection, None, actor="alice")

        today = database_now().date()
        assert created
        assert (run.from_day, run.to_day) == (today - dt.timedelta(days=7), today + dt.timedelta(days=1))

    def test_returns_the_one_already_queued(self, connect):
        connection = connect()
        first, _ = lifecycle.force_sync(connection, None, actor="alice")

        again, created = lifecycle.force_sync(connection, None, actor="bob")

        assert (again.pk, created) == (first.pk, False)

    def test_reaches_back_to_what_is_not_settled(self, connect, run_due):
        connection = connect()
        run_due()
        today = database_now().date()
        Connection.objects.update(settled_through=today - dt.timedelta(days=20))

        run, _ = lifecycle.force_sync(connection, None, actor="alice")

        assert run.from_day == today - dt.timedelta(days=19)

    def test_is_dated_by_the_clock_of_the_database(self, connect, monkeypatch):
        """A web server whose clock is wrong would put its runs before or behind all others."""
        connection, before = connect(), database_now()
        monkeypatch.setattr(timezone, "now", lambda: before - dt.timedelta(days=3))

        run, _ = lifecycle.force_sync(connection, None, actor="alice")

        assert before <= run.requested_at <= database_now()
        assert run.requested_at == SyncRun.objects.get(pk=run.pk).requested_at

    def test_is_refused_while_paused(self, connect):
        connection = connect()
        lifecycle.pause(connection, actor="alice")

        with pytest.raises(ConnectionStandsStillError, match="Resume it first"):
            lifecycle.force_sync(connection, None, actor="alice")


class TestPause:
    def test_stops_and_resume_goes_on(self, connect, run_due, simulator):
        connection = connect()
        lifecycle.pause(connection, actor="alice")
        idle = run_due()

        lifecycle.resume(connection, actor="alice")
        run_due()

        connection.refresh_from_db()
        assert idle == 0
        assert connection.status == Status.ACTIVE

    def test_resume_fetches_the_days_missed(self, connect, run_due):
        connection = connect()
        run_due()
        today = database_now().date()
        Connection.objects.update(settled_through=today - dt.timedelta(days=40))
        lifecycle.pause(connection, actor="alice")

        lifecycle.resume(connection, actor="alice")

        run = SyncRun.objects.get(trigger=Trigger.REREAD)
        assert (run.from_day, run.to_day) == (today - dt.timedelta(days=39), today + dt.timedelta(days=1))


class TestDisconnect:
    def test_keeps_the_history_and_deletes_the_key(self, connect, run_due):
        connection = connect()
        run_due()
        facts = CostFact.objects.count()

        lifecycle.disconnect(connection, erase=False, actor="alice")

        assert CostFact.objects.count() == facts > 0
        assert Credential.objects.count() == 0
        assert lifecycle.find(connection.account, connection.pk) is None

    def test_erases_everything_when_asked(self, connect, run_due):
        connection = connect()
        run_due()

        lifecycle.disconnect(connection, erase=True, actor="alice")

        assert CostFact.objects.count() == Page.objects.count() == Credential.objects.count() == 0
        assert Lane.objects.count() == 0

    def test_leaves_the_lane_to_another_account_that_reads_the_organisation(
        self, connect, simulator, other_account
    ):
        connection = connect()
        key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
        lifecycle.connect(other_account, NewConnection(key), actor="charlie")

        lifecycle.disconnect(connection, erase=True, actor="alice")

        assert Lane.objects.get().organization_id == connection.organization_id

    def test_refuses_a_worker_whose_lane_is_gone(self, connect, make_due):
        connection = connect()
        make_due()
        lease = lanes.claim(Lane.objects.get().pk)

        lifecycle.disconnect(connection, erase=True, actor="alice")

        with pytest.raises(LeaseLostError), transaction.atomic():
            lanes.lock(lease)

    def test_connecting_again_revives_the_history_instead_of_doubling_it(self, connect, run_due):
        connection = connect()
        run_due()
        facts = CostFact.objects.count()
        lifecycle.disconnect(connection, erase=False, actor="alice")

        again = connect()
        run_due()

        assert again.pk == connection.pk
        assert CostFact.objects.count() == facts

    def test_cancels_what_was_queued(self, connect, run_due):
        connection = connect()

        lifecycle.disconnect(connection, erase=False, actor="alice")

        assert SyncRun.objects.get().status == SyncRun.Status.CANCELLED
        assert run_due() == 0


class TestAudit:
    def test_names_who_did_what(self, connect):
        connection = connect(label="Main")
        lifecycle.edit(connection, label="Other", cost_center="4711", actor="bob")
        lifecycle.pause(connection, actor="bob")
        lifecycle.resume(connection, actor="bob")
        lifecycle.force_sync(connection, DayRange(dt.date(2026, 1, 1), dt.date(2026, 1, 2)), actor="bob")

        actions = list(AuditEvent.objects.order_by("pk").values_list("actor", "action"))
        assert actions == [
            ("alice", "key.tested"),
            ("alice", "connection.created"),
            ("bob", "connection.edited"),
            ("bob", "connection.paused"),
            ("bob", "connection.resumed"),
            ("bob", "connection.sync_forced"),
        ]


def audited(action: str) -> list[dict[str, Any]]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk").values_list("changes", flat=True))


def together(*deeds: Callable[[], object]) -> list[object]:
    """Do them at one time, each on a connection of its own; return what each gave or raised."""

    def done(deed: Callable[[], object]) -> object:
        try:
            return deed()
        except (RefusedError, LabelTakenError, ConnectionStandsStillError) as error:
            return error
        finally:
            database.close()

    with ThreadPoolExecutor(len(deeds)) as threads:
        return list(threads.map(done, deeds))


class TestSomebodyElseMeanwhile:
    """Each service gets a copy of the row that somebody has read before; what counts is the row as it is by then."""

    @pytest.fixture
    def live(self, connect) -> Connection:
        return connect(label="Main", cost_center="Lab")

    @pytest.fixture
    def stale(self, live) -> Connection:
        return Connection.objects.select_related("account").get(pk=live.pk)

    def test_editing_one_field_leaves_the_other_as_it_is(self, live, stale):
        lifecycle.edit(live, label="Other", actor="bob")

        lifecycle.edit(stale, cost_center="4711", actor="carol")

        live.refresh_from_db()
        assert (live.label, live.cost_center) == (stale.label, stale.cost_center) == ("Other", "4711")
        assert audited("connection.edited") == [
            {"label": ["Main", "Other"]},
            {"cost_center": ["Lab", "4711"]},
        ]
        assert AuditEvent.objects.latest("pk").target == "Other"

    def test_the_log_has_what_an_edit_really_changed(self, live, stale):
        lifecycle.edit(live, label="Other", cost_center="4711", actor="bob")

        lifecycle.edit(stale, label="Third", cost_center=" 4711 ", actor="carol")
        lifecycle.edit(stale, label="Third", cost_center="4711", actor="carol")

        assert audited("connection.edited")[1:] == [{"label": ["Other", "Third"]}]

    def test_edits_at_one_time_follow_upon_each_other(self, live):
        def rename(name: str) -> None:
            for number in range(10):
                mine = Connection.objects.select_related("account").get(pk=live.pk)
                lifecycle.edit(mine, label=f"{name} {number}", actor=name)

        together(lambda: rename("bob"), lambda: rename("carol"))

        steps = [changes["label"] for changes in audited("connection.edited")]
        assert len(steps) == 20
        assert [before for before, _ in steps] == ["Main", *(after for _, after in steps[:-1])]

    @pytest.mark.parametrize("erase", [True, False])
    def test_nothing_is_edited_that_is_gone(self, live, stale, erase):
        lifecycle.disconnect(live, erase=erase, actor="bob")

        with pytest.raises(ConnectionStandsStillError, match="disconnected"):
            lifecycle.edit(stale, label="Other", actor="carol")

        assert audited("connection.edited") == []

    @pytest.mark.parametrize("erase", [True, False])
    def test_a_connection_ends_once(self, live, stale, erase):
        lifecycle.disconnect(live, erase=erase, actor="bob")
        ended_at = Connection.objects.values_list("disconnected_at", flat=True).first()

        lifecycle.disconnect(stale, erase=erase, actor="carol")

        ends = AuditEvent.objects.filter(action__in=("connection.disconnected", "connection.erased"))
        assert list(ends.values_list("actor", flat=True)) == ["bob"]
        assert Connection.objects.values_list("disconnected_at", flat=True).first() == ended_at

    def test_an_end_is_told_under_the_label_of_that_moment(self, live, stale):
        lifecycle.edit(live, label="Other", actor="bob")

        lifecycle.disconnect(stale, erase=False, actor="carol")

        assert AuditEvent.objects.get(action="connection.disconnected").target == "Other"

    def test_no_sync_is_forced_upon_one_that_was_paused(self, live, stale):
        lifecycle.pause(live, actor="bob")

        with pytest.raises(ConnectionStandsStillError, match="Resume it first"):
            lifecycle.force_sync(stale, None, actor="carol")

        assert not SyncRun.objects.filter(trigger=Trigger.FORCE).exists()

    def test_keys_are_told_one_after_the_other(self, live, stale, simulator):
        keys = [simulator.world("acorn-studio", "new_key")["key"] for _ in range(2)]
        hints = [live.key_hint, *(f"sk-ant-admin01-…{key[-4:]}" for key in keys)]

        lifecycle.rotate_key(live, keys[0], actor="bob")
        lifecycle.rotate_key(stale, keys[1], actor="carol")

        assert audited("connection.rotated") == [{"key": hints[0:2]}, {"key": hints[1:3]}]

    def test_what_an_old_key_is_told_says_nothing_of_the_new_one(self, live, stale, simulator, monkeypatch):
        key = simulator.world("acorn-studio", "new_key")["key"]
        probe_stored = connections.probe_stored

        def probe_and_lose(*args: Any, **options: Any) -> Any:
            simulator.fault("revoked", times=1)
            found = probe_stored(*args, **options)
            lifecycle.rotate_key(live, key, actor="bob")
            return found

        monkeypatch.setattr(connections, "probe_stored", probe_and_lose)

        found = lifecycle.check_connection(stale, actor="carol")

        assert found.reason == "key_rejected"
        assert (stale.status, stale.key_hint) == (Status.BACKFILLING, live.key_hint)

    def test_one_of_two_connects_again_what_was_disconnected(self, account, live, simulator, monkeypatch):
        lifecycle.disconnect(live, erase=False, actor="alice")
        key = key_of(simulator, "acorn-studio")
        both = threading.Barrier(2, timeout=20)
        test_key = lifecycle.check_key

        def test_both(*args: Any, **options: Any) -> Any:
            found = test_key(*args, **options)
            both.wait()
            return found

        # Once the key of each of the two has passed, so that both are about to store it.
        monkeypatch.setattr(lifecycle, "check_key", test_both)

        answers = together(
            *(lambda who=who: lifecycle.connect(account, NewConnection(key), actor=who) for who in ("b", "c"))
        )

        assert sorted(type(answer).__name__ for answer in answers) == ["Connection", "RefusedError"]
        assert AuditEvent.objects.filter(action="connection.created").count() == 2
