"""The operators' pages under the strict content policy: `surf` fails on anything the console complains about."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts import tokens
from accounts.models import ApiToken, Role
from accounts.tokens import Terms
from integrations.models import Connection, Status
from workers import lifecycle
from workers.lifecycle import NewConnection
from workers.models import SyncRun


@pytest.fixture
def connection(account, simulator, key_of, admin_user, run_due) -> Connection:
    """A backfilled connection, and with it rows in nearly every table."""
    made = lifecycle.connect(account, NewConnection(key_of("acorn-studio"), label="Acorn"), actor="set-up")
    run_due()
    tokens.issue(account, admin_user, Terms("ci", Role.VIEWER), actor="set-up")
    return made


def addresses(connection: Connection) -> list[str]:
    """List the admin's pages: each list, the first row of each table with its history, each form."""
    found = [reverse("admin:index"), reverse("admin:password_change")]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        row = model.objects.first()
        if row is not None and model is not ApiToken:
            found += [reverse(f"{name}_{page}", args=(row.pk,)) for page in ("change", "history")]
    found += [
        reverse(f"admin:{name}_add")
        for name in ("integrations_connection", "accounts_account", "accounts_user")
    ]
    names = ("replace_key", "disconnect")
    found += [reverse(f"admin:integrations_connection_{name}", args=(connection.pk,)) for name in names]
    token = ApiToken.objects.get()
    return [*found, reverse("admin:accounts_apitoken_revoke", args=(token.token_key,))]


class TestPages:
    def test_none_breaks_the_content_policy(self, surf, admin_user, connection):
        page = surf(admin_user).page

        statuses = {address: page.goto(address).status for address in addresses(connection)}

        assert set(statuses.values()) == {200}, statuses
        assert len(statuses) > 40

    def test_none_scrolls_sideways_on_a_small_screen(self, surf, admin_user, connection):
        page = surf(admin_user, viewport={"width": 390, "height": 844}).page
        page.goto(reverse("admin:integrations_connection_change", args=(connection.pk,)))

        widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")

        assert widths[0] <= widths[1]


class TestConnections:
    def test_are_added_paused_and_disconnected_with_the_mouse(self, surf, admin_user, account, key_of):
        page = surf(admin_user).page
        page.goto(reverse("admin:integrations_connection_add"))
        page.get_by_label("Account").select_option(str(account.pk))
        page.get_by_label("API key").fill(key_of("acorn-studio"))
        page.get_by_role("button", name="Test key and connect").click()
        page.get_by_text("Its backfill is queued").wait_for()
        page.get_by_role("button", name="Force sync").click()
        page.get_by_text("Queued force").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("What is open stays open").wait_for()
        paused = Connection.objects.get().status
        page.get_by_role("link", name="Disconnect…").click()
        page.get_by_label("Keep:").check()
        page.get_by_label("Yes, disconnect").check()
        page.get_by_role("button", name="Disconnect").click()
        page.get_by_text("its history stays").wait_for()

        assert paused == Status.PAUSED
        assert Connection.objects.get().is_disconnected
        assert {run.status for run in SyncRun.objects.all()} == {SyncRun.Status.CANCELLED}
