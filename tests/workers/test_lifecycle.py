from __future__ import annotations

import datetime as dt

import pytest
from django.test import override_settings

from accounts.models import AuditEvent, Plan
from costs.models import CostFact
from costs.periods import DayRange
from integrations.connections import LabelTakenError, RefusedError
from integrations.models import Connection, Credential, Status
from workers import lifecycle
from workers.bucket import redis_client
from workers.clock import database_now
from workers.lifecycle import ConnectionStandsStillError, NewConnection
from workers.models import Page, SyncRun, Trigger

pytestmark = pytest.mark.django_db(transaction=True)


def key_of(simulator, slug: str, kind: str = "admin_key") -> str:
    return simulator.organisations(organisation=slug)[0][kind]


def probe_of(account, key: str):
    return lifecycle.test_key(account, key, actor="alice")


class TestConnect:
    def test_gives_a_default_label_and_numbers_it_when_taken(self, account, connect):
        connect("acorn-studio", label="Anthropic – Birch Logistics GmbH")

        assert connect("birch-logistics").label == "Anthropic – Birch Logistics GmbH (2)"

    @pytest.mark.parametrize(("plan", "days"), [(Plan.FREE, 31), (Plan.PRO, 366), (Plan.ULTIMATE, 366)])
    def test_fills_as_far_back_as_the_plan_allows(self, account, connect, plan, days):
        account.plan = plan
        account.save()

        connect()

        run = SyncRun.objects.get()
        assert (run.to_day - run.from_day).days == days

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

        lifecycle.test(connection, actor="alice")

        assert broken == Status.ERROR
        assert connection.status == Status.BACKFILLING

    def test_marks_a_connection_whose_key_was_revoked(self, connect, simulator):
        connection = connect()
        simulator.fault("revoked", times=-1)

        lifecycle.test(connection, actor="alice")

        assert (connection.status, connection.reason) == (Status.ERROR, "key_rejected")

    def test_says_when_the_stored_key_cannot_be_opened(self, connect):
        connection = connect()

        with override_settings(CREDENTIAL_KEYS=(("other", b"0" * 32),)):
            found = lifecycle.test(connection, actor="alice")

        assert found.reason == "key_unreadable"
        assert "CREDENTIAL_KEYS" in found.remedy


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
