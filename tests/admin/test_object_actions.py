from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from integrations.models import Connection, Status
from tests.accounts.factors import sign_in_as_operator
from workers.models import SyncRun, Trigger

from .conftest import action_url, change_url

ACTIONS = ["test", "force_sync", "pause", "resume"]
FORMS = ["replace_key", "disconnect"]
NEEDED = {
    "test": "sync_connection",
    "force_sync": "sync_connection",
    "pause": "pause_connection",
    "replace_key": "rotate_connection",
    "disconnect": "delete_connection",
}


class TestMethod:
    @pytest.mark.parametrize("name", ACTIONS)
    def test_get_is_refused_and_changes_nothing(self, boss, connection, name):
        before = Connection.objects.values().get()

        response = boss.get(action_url(connection, name))

        assert response.status_code == 405
        assert response["Allow"] == "POST"
        assert Connection.objects.values().get() == before
        assert SyncRun.objects.count() == 1

    @pytest.mark.parametrize("name", FORMS)
    def test_get_of_a_form_changes_nothing(self, boss, connection, name):
        before = Connection.objects.values().get()

        response = boss.get(action_url(connection, name))

        assert response.status_code == 200
        assert Connection.objects.values().get() == before
        assert hasattr(connection, "credential")

    @pytest.mark.parametrize("name", [*ACTIONS, *FORMS])
    def test_post_without_csrf_token_is_refused(self, admin_user, connection, name):
        client = Client(enforce_csrf_checks=True)
        sign_in_as_operator(client, admin_user)

        response = client.post(action_url(connection, name))

        assert response.status_code == 403
        assert Connection.objects.get().status == Status.BACKFILLING


class TestPermission:
    @pytest.mark.parametrize("name", NEEDED)
    def test_without_its_permission_an_action_is_forbidden(self, staff_with, connection, name):
        others = {*NEEDED.values()} - {NEEDED[name]}
        client = staff_with("view_connection", "change_connection", *others)

        response = client.post(action_url(connection, name))

        assert response.status_code == 403
        assert Connection.objects.get().status == Status.BACKFILLING
        assert SyncRun.objects.count() == 1

    @pytest.mark.parametrize("name", NEEDED)
    def test_without_its_permission_there_is_no_button(self, staff_with, connection, name):
        others = {*NEEDED.values()} - {NEEDED[name]}

        page = staff_with("view_connection", *others).get(change_url(connection)).content.decode()

        assert action_url(connection, name) not in page

    @pytest.mark.parametrize("name", NEEDED)
    def test_with_it_there_is_a_button(self, staff_with, connection, name):
        page = staff_with("view_connection", NEEDED[name]).get(change_url(connection)).content.decode()

        assert action_url(connection, name) in page

    @pytest.mark.parametrize("name", NEEDED)
    def test_who_may_not_view_may_not_act(self, staff_with, connection, name):
        response = staff_with(NEEDED[name]).post(action_url(connection, name))

        assert response.status_code == 403

    def test_a_visitor_is_sent_to_the_sign_in_page(self, client, connection):
        response = client.post(action_url(connection, "pause"))

        assert response.status_code == 302
        assert Connection.objects.get().status == Status.BACKFILLING


class TestAction:
    def test_is_logged_by_name(self, boss, connection):
        boss.post(action_url(connection, "pause"))

        assert LogEntry.objects.get().get_change_message() == "Pause"

    def test_that_is_not_possible_now_says_so(self, boss, connection):
        response = boss.post(action_url(connection, "resume"), follow=True)

        assert "Resume is not possible now." in response.content.decode()
        assert not LogEntry.objects.exists()

    def test_of_an_unknown_row_is_not_found(self, boss, connection):
        address = action_url(connection, "pause").replace(str(connection.pk), "nothing")

        assert boss.post(address).status_code == 404


class TestCancel:
    def test_closes_the_run_and_leaves_the_backfilling_state(self, boss, connection):
        run = SyncRun.objects.get()

        boss.post(action_url(run, "cancel"))

        run.refresh_from_db()
        assert run.status == SyncRun.Status.CANCELLED
        assert run.finished_at is not None
        assert Connection.objects.get().status == Status.PENDING

    def test_leaves_other_runs_alone(self, boss, connection):
        boss.post(action_url(connection, "force_sync"))
        run = SyncRun.objects.get(trigger=Trigger.FORCE)

        boss.post(action_url(run, "cancel"))

        assert SyncRun.objects.get(trigger=Trigger.CONNECT).status == SyncRun.Status.QUEUED
        assert Connection.objects.get().status == Status.BACKFILLING

    def test_needs_its_permission(self, staff_with, connection):
        run = SyncRun.objects.get()
        client = staff_with("view_syncrun")

        response = client.post(action_url(run, "cancel"))

        assert response.status_code == 403
        assert action_url(run, "cancel") not in client.get(change_url(run)).content.decode()

    def test_is_not_offered_for_a_run_that_ended(self, boss, connection):
        run = SyncRun.objects.get()
        SyncRun.objects.update(status=SyncRun.Status.SUCCEEDED)

        response = boss.post(action_url(run, "cancel"), follow=True)

        assert "not possible now" in response.content.decode()
        assert SyncRun.objects.get().status == SyncRun.Status.SUCCEEDED
