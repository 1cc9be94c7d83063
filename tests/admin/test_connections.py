from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts.models import Account, AuditEvent
from costs.models import CostFact
from integrations.models import Connection, Credential, Status
from workers import states
from workers.clock import database_now
from workers.models import SyncRun, Trigger

from .conftest import action_url, change_url, key_of, list_url, told

ADD = "admin:integrations_connection_add"


def connect(client, account, key: str, **given):
    data = {"account": account.pk, "provider": "anthropic", "api_key": key, **given}
    return client.post(reverse(ADD), data, follow=True)


class TestAdd:
    def test_stores_the_connection_and_queues_its_backfill(self, boss, account, key):
        response = connect(boss, account, key, label="Acorn", cost_center="R&D")

        connection = Connection.objects.get()
        run = SyncRun.objects.get()
        assert (connection.label, connection.cost_center, connection.account) == ("Acorn", "R&D", account)
        assert (run.trigger, run.status) == (Trigger.CONNECT, SyncRun.Status.QUEUED)
        assert run.requested_by == "alice@example.com"
        assert "Its backfill is queued" in told(response)

    def test_names_the_operator_in_the_audit_log(self, boss, account, key):
        connect(boss, account, key)

        events = AuditEvent.objects.order_by("pk").values_list("actor", "action")
        assert list(events) == [
            ("alice@example.com", "key.tested"),
            ("alice@example.com", "connection.created"),
        ]

    def test_leads_to_stored_facts(self, boss, account, key, run_due):
        connect(boss, account, key)
        run_due()

        page = boss.get(change_url(Connection.objects.get())).content.decode()

        assert SyncRun.objects.get().status == SyncRun.Status.SUCCEEDED
        assert CostFact.objects.exists()
        assert "366 of 366 days, 0 requests left" in page

    def test_gives_a_blank_label_the_organisations_name(self, boss, account, key):
        connect(boss, account, key)

        assert Connection.objects.get().label.startswith("Anthropic – ")

    def test_tells_why_a_key_is_refused_and_what_to_do(self, boss, account, simulator):
        response = connect(boss, account, "not-a-key")

        errors = response.context["errors"]["api_key"]
        assert errors == [
            "This is not an Anthropic key: it does not start with sk-ant-.",
            "Paste the whole key; it starts with sk-ant- and holds no spaces or line breaks.",
        ]
        assert not Connection.objects.exists()

    def test_refuses_the_same_organisation_twice(self, boss, account, connection, key):
        response = connect(boss, account, key)

        assert "already connected: Acorn" in response.context["errors"]["api_key"][0]

    def test_refuses_a_label_twice(self, boss, account, connection, simulator):
        response = connect(boss, account, key_of(simulator, "birch-logistics"), label="Acorn")

        assert "Choose another label" in response.context["errors"]["label"][0]
        assert Connection.objects.count() == 1

    def test_needs_its_permission(self, staff_with, account, key):
        client = staff_with("view_connection", "change_connection")

        assert client.get(reverse(ADD)).status_code == 403
        assert connect(client, account, key).status_code == 403
        assert not Connection.objects.exists()


class TestKey:
    def test_is_in_no_page_and_no_log(self, boss, account, key, simulator):
        other = key_of(simulator, "birch-logistics")
        pages = [connect(boss, account, key), connect(boss, account, key)]
        connection = Connection.objects.get()
        pages += [
            boss.post(action_url(connection, "replace_key"), {"api_key": other}, follow=True),
            boss.post(action_url(connection, "replace_key"), {"api_key": key}, follow=True),
            boss.post(action_url(connection, "test"), follow=True),
            boss.get(action_url(connection, "replace_key")),
            boss.get(reverse("admin:integrations_connection_history", args=(connection.pk,))),
            boss.get(list_url(Connection)),
            boss.get(list_url(AuditEvent)),
        ]

        text = "".join(page.content.decode() for page in pages)
        logged = "".join(map(str, LogEntry.objects.values_list("change_message", "object_repr")))
        assert all(page.status_code == 200 for page in pages)
        assert (key in text, other in text) == (False, False)
        assert (key in logged, other in logged) == (False, False)
        assert connection.key_hint in text

    def test_is_not_rendered_back_into_its_field(self, boss, account):
        page = connect(boss, account, "sk-ant-secret with a space").content.decode()

        assert "sk-ant-secret" not in page
        assert 'type="password"' in page

    def test_has_no_admin_of_its_own(self):
        assert Credential not in admin.site._registry


class TestList:
    def test_asks_as_many_queries_for_many_connections_as_for_one(
        self, boss, account, connection, django_assert_max_num_queries
    ):
        accounts = Account.objects.bulk_create(Account(name=f"Account {n}") for n in range(20))
        Connection.objects.bulk_create(
            Connection(
                account=a,
                origin="claude_platform",
                label="x",
                organization_id="o",
                backfill_days=1,
                wanted_from="2025-11-01",
            )
            for a in accounts
        )

        with django_assert_max_num_queries(14):
            response = boss.get(list_url(Connection))

        assert response.context["cl"].result_count == 21

    def test_shows_status_with_reason(self, boss, connection):
        Connection.objects.update(status=Status.ERROR, reason="key_rejected")

        assert "Needs you: key_rejected" in boss.get(list_url(Connection)).content.decode()

    def test_finds_by_account(self, boss, connection):
        found = boss.get(list_url(Connection), {"q": "Alice"}).context["cl"].result_count
        missed = boss.get(list_url(Connection), {"q": "Charlie"}).context["cl"].result_count

        assert (found, missed) == (1, 0)

    def test_tells_apart_what_is_disconnected(self, boss, connection):
        boss.post(action_url(connection, "disconnect"), {"history": "keep", "sure": "on"})

        counts = [
            boss.get(list_url(Connection), {"connected": c}).context["cl"].result_count for c in ("yes", "no")
        ]

        assert counts == [0, 1]

    def test_survives_a_filter_for_a_connection_that_is_not_offered(self, boss, connection):
        response = boss.get(list_url(SyncRun), {"connection__id__exact": connection.pk})

        assert response.context["cl"].result_count == 1
        assert boss.get(list_url(SyncRun), {"connection__id__exact": "nonsense"}).status_code == 302

    def test_forces_a_sync_of_all_chosen(self, boss, connection):
        chosen = {"action": "force_sync", "_selected_action": [str(connection.pk)]}

        response = boss.post(list_url(Connection), chosen, follow=True)

        assert SyncRun.objects.filter(trigger=Trigger.FORCE).count() == 1
        assert "1 syncs queued" in told(response)

    def test_offers_that_to_nobody_without_the_permission(self, staff_with, connection):
        client = staff_with("view_connection", "change_connection", "pause_connection")
        chosen = {"action": "force_sync", "_selected_action": [str(connection.pk)]}

        client.post(list_url(Connection), chosen)

        assert not SyncRun.objects.filter(trigger=Trigger.FORCE).exists()

    def test_names_those_that_cannot_sync(self, boss, connection):
        Connection.objects.update(status=Status.PAUSED)
        chosen = {"action": "force_sync", "_selected_action": [str(connection.pk)]}

        response = boss.post(list_url(Connection), chosen, follow=True)

        assert "Acorn is paused. Resume it first." in told(response)


class TestChange:
    def test_edits_label_and_cost_centre_with_an_audit_event(self, boss, connection):
        boss.post(change_url(connection), {"label": "Oak", "cost_center": "Ops"})

        connection.refresh_from_db()
        event = AuditEvent.objects.get(action="connection.edited")
        assert (connection.label, connection.cost_center) == ("Oak", "Ops")
        assert event.changes == {"label": ["Acorn", "Oak"], "cost_center": ["R&D", "Ops"]}
        assert event.actor == "alice@example.com"

    def test_changes_nothing_else(self, boss, connection):
        before = Connection.objects.values().get()

        boss.post(
            change_url(connection),
            {"label": "Acorn", "cost_center": "R&D", "status": "paused", "key_hint": "x"},
        )

        assert Connection.objects.values().get() == before

    def test_refuses_a_label_that_is_taken(self, boss, account, connection):
        Connection.objects.create(
            account=account,
            origin="claude_platform",
            label="Oak",
            organization_id="o",
            backfill_days=1,
            wanted_from="2025-11-01",
        )

        response = boss.post(change_url(connection), {"label": "Oak"})

        assert "Choose another label" in response.context["errors"][0][0]

    def test_never_deletes(self, boss, connection):
        delete = reverse("admin:integrations_connection_delete", args=(connection.pk,))

        assert boss.post(delete, {"post": "yes"}).status_code == 403
        assert Connection.objects.exists()


class TestActions:
    def test_test_tells_that_the_key_works(self, boss, connection):
        response = boss.post(action_url(connection, "test"), follow=True)

        assert "This key reads the cost reports of" in told(response)
        assert AuditEvent.objects.filter(action="connection.tested", actor="alice@example.com").exists()

    def test_test_tells_reason_detail_and_remedy(self, boss, connection, simulator):
        simulator.fault("revoked")

        response = boss.post(action_url(connection, "test"), follow=True)

        assert "key_rejected: Anthropic refused this key (401)" in told(response)
        assert "Create another key at Anthropic and use it here." in told(response)
        assert "Needs you: key_rejected" in response.content.decode()

    def test_force_sync_queues_one_run_however_often(self, boss, connection):
        boss.post(action_url(connection, "force_sync"))
        response = boss.post(action_url(connection, "force_sync"), follow=True)

        assert SyncRun.objects.filter(trigger=Trigger.FORCE).count() == 1
        assert "Already queued" in told(response)

    def test_force_sync_of_a_paused_connection_says_what_to_do(self, boss, connection):
        boss.post(action_url(connection, "pause"))

        response = boss.post(action_url(connection, "force_sync"), follow=True)

        assert "Resume it first." in told(response)
        assert not LogEntry.objects.filter(change_message__contains="Force sync").exists()

    def test_pause_and_resume(self, boss, connection):
        boss.post(action_url(connection, "pause"))
        paused = Connection.objects.get().status
        boss.post(action_url(connection, "resume"))

        assert paused == Status.PAUSED
        assert Connection.objects.get().status == Status.BACKFILLING

    @pytest.mark.parametrize("action", ["pause", "test", "replace_key"])
    def test_on_what_somebody_has_just_disconnected_is_refused(
        self, boss, connection, key, monkeypatch, action
    ):
        find_and_hold = states.find_and_hold

        def disconnect_before(row):
            Connection.objects.filter(pk=row.pk).update(disconnected_at=database_now())
            return find_and_hold(row)

        monkeypatch.setattr(states, "find_and_hold", disconnect_before)

        response = boss.post(action_url(connection, action), {"api_key": key}, follow=True)

        assert "Acorn is disconnected. Connect its organisation again." in told(response)

    def test_replace_key_refuses_another_organisation(self, boss, connection, simulator):
        response = boss.post(
            action_url(connection, "replace_key"), {"api_key": key_of(simulator, "birch-logistics")}
        )

        assert "but the connection belongs to" in response.context["errors"]["api_key"][0]
        assert not AuditEvent.objects.filter(action="connection.rotated").exists()

    def test_replace_key_seals_the_new_key(self, boss, connection, key):
        before = bytes(Credential.objects.get().sealed)

        response = boss.post(action_url(connection, "replace_key"), {"api_key": key}, follow=True)

        assert bytes(Credential.objects.get().sealed) != before
        assert "Replaced the key of Acorn" in told(response)


class TestDisconnect:
    def test_asks_before_it_does(self, boss, connection):
        response = boss.post(action_url(connection, "disconnect"), {"history": "erase"})

        assert response.context["errors"]["sure"] == ["This field is required."]
        assert Connection.objects.get().disconnected_at is None

    def test_says_what_is_erased(self, boss, connection, run_due):
        run_due()

        page = boss.get(action_url(connection, "disconnect")).content.decode()

        assert f"Erase: {CostFact.objects.count()} cost rows of" in page

    def test_keeps_history(self, boss, connection, run_due):
        run_due()
        facts = CostFact.objects.count()

        boss.post(action_url(connection, "disconnect"), {"history": "keep", "sure": "on"})

        assert Connection.objects.get().is_disconnected
        assert CostFact.objects.count() == facts > 0
        assert not Credential.objects.exists()

    def test_erases_history(self, boss, connection, run_due):
        run_due()

        response = boss.post(
            action_url(connection, "disconnect"), {"history": "erase", "sure": "on"}, follow=True
        )

        assert not Connection.objects.exists()
        assert not CostFact.objects.exists()
        assert "its history is erased" in told(response)

    def test_leaves_a_page_to_read_only(self, boss, connection):
        boss.post(action_url(connection, "disconnect"), {"history": "keep", "sure": "on"})

        page = boss.get(change_url(connection)).content.decode()

        assert "object-actions" not in page
        assert boss.post(change_url(connection), {"label": "x"}).status_code == 403
