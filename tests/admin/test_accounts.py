from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts import tokens
from accounts.models import Account, ApiToken, AuditEvent, Membership, Role, User
from accounts.tokens import Terms

from .conftest import change_url, list_url

PASSWORD = "a long enough pass phrase"


def no_rows(prefix: str) -> dict[str, str]:
    return {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}


@pytest.fixture
def token(account, admin_user) -> tuple[ApiToken, str]:
    return tokens.issue(account, admin_user, Terms("ci", Role.VIEWER), actor="set-up")


class TestAccount:
    def test_plan_is_changed_with_an_audit_event(self, boss, account):
        boss.post(change_url(account), {"name": account.name, "plan": "ultimate", **no_rows("memberships")})

        event = AuditEvent.objects.get()
        assert Account.objects.get().plan == "ultimate"
        assert (event.action, event.changes) == ("account.edited", {"plan": ["pro", "ultimate"]})

    def test_is_made_here(self, boss):
        boss.post(list_url(Account) + "add/", {"name": "New", "plan": "free", **no_rows("memberships")})

        assert Account.objects.get(name="New").backfill_days == 30

    def test_is_never_deleted_here(self, boss, account):
        boss.post(reverse("admin:accounts_account_delete", args=(account.pk,)), {"post": "yes"})

        assert Account.objects.filter(pk=account.pk).exists()

    def test_members_are_added_with_an_audit_event(self, boss, account, other_account, admin_user):
        row = {"memberships-0-user": admin_user.pk, "memberships-0-role": "viewer"}
        form = {"name": other_account.name, "plan": "pro", **no_rows("memberships"), **row}

        boss.post(change_url(other_account), {**form, "memberships-TOTAL_FORMS": "1"})

        event = AuditEvent.objects.get()
        assert Membership.objects.get(account=other_account).user == admin_user
        assert (event.action, event.target) == ("member.added", "alice@example.com")

    def test_list_counts_without_a_query_each(self, boss, account, django_assert_max_num_queries):
        Account.objects.bulk_create(Account(name=f"Account {n}") for n in range(30))

        with django_assert_max_num_queries(8):
            response = boss.get(list_url(Account))

        assert response.context["cl"].result_count == 31


class TestUser:
    def test_is_made_by_e_mail_address(self, boss):
        form = {
            "email": "Erin@Example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD,
        }  # fmt: skip

        boss.post(list_url(User) + "add/", {**form, **no_rows("memberships")})

        assert User.objects.get(email="erin@example.com").check_password(PASSWORD)

    def test_gets_a_new_password(self, boss, admin_user):
        user = User.objects.create_user("erin@example.com", "old password here")
        address = reverse("admin:auth_user_password_change", args=(user.pk,))

        boss.post(address, {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD})

        user.refresh_from_db()
        assert user.check_password(PASSWORD)

    def test_is_made_staff_by_a_superuser(self, boss):
        user = User.objects.create_user("erin@example.com", "old password here")

        boss.post(change_url(user), _form(user, is_staff="on"))

        user.refresh_from_db()
        assert user.is_staff

    def test_who_edits_people_cannot_give_powers(self, staff_with):
        client = staff_with("view_user", "change_user")
        bob = User.objects.get(email="bob@example.com")

        client.post(change_url(bob), _form(bob, is_staff="on", is_superuser="on", first_name="Bob"))

        bob.refresh_from_db()
        assert (bob.first_name, bob.is_superuser) == ("Bob", False)

    def test_who_edits_people_cannot_become_a_superuser(self, staff_with, admin_user):
        client = staff_with("view_user", "change_user")
        address = reverse("admin:auth_user_password_change", args=(admin_user.pk,))

        assert client.post(address, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
        assert client.post(change_url(admin_user), _form(admin_user)).status_code == 403

    def test_is_deactivated_rather_than_deleted(self, boss, admin_user):
        boss.post(reverse("admin:accounts_user_delete", args=(admin_user.pk,)), {"post": "yes"})

        assert User.objects.filter(pk=admin_user.pk).exists()


def _form(user: User, **changes: str) -> dict[str, str]:
    joined = {
        "email": user.email,
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    return {**joined, **no_rows("memberships"), **changes}


def filled_in(page: Any) -> dict[str, Any]:
    """What a browser sends of a page for one row when nothing on it was touched."""
    fields = list(page.context["adminform"].form)
    sent = {each.html_name: each.value() for each in fields if each.value() not in (None, False)}
    hidden = [each for each in fields if each.field.show_hidden_initial]
    sent |= {each.html_initial_name: each.value() for each in hidden if each.value() is not None}
    return {**sent, **no_rows("memberships")}


class TestSomebodyElseMeanwhile:
    """Between the look at a page and the button on it somebody else changed the same row."""

    def test_who_was_shut_out_stays_out(self, boss):
        erin = User.objects.create_user("erin@example.com", "old password here")
        form = filled_in(boss.get(change_url(erin)))
        User.objects.filter(pk=erin.pk).update(is_active=False, last_name="Meier")

        answer = boss.post(change_url(erin), {**form, "first_name": "Erin"})

        erin.refresh_from_db()
        event = AuditEvent.objects.get(action="person.edited")
        assert answer.status_code == 302
        assert (erin.first_name, erin.last_name, erin.is_active) == ("Erin", "Meier", False)
        assert event.changes == {"first_name": ["", "Erin"]}

    def test_a_box_is_cleared_and_ticked_on_purpose(self, boss):
        erin = User.objects.create_user("erin@example.com", "old password here")
        for wanted in (False, True):
            form = filled_in(boss.get(change_url(erin)))
            form.pop("is_active", None)

            boss.post(change_url(erin), {**form, **({"is_active": "on"} if wanted else {})})

            erin.refresh_from_db()
            assert erin.is_active is wanted

    def test_an_account_keeps_its_new_name(self, boss, account):
        form = filled_in(boss.get(change_url(account)))
        Account.objects.filter(pk=account.pk).update(name="Renamed")

        boss.post(change_url(account), {**form, "plan": "ultimate"})

        account.refresh_from_db()
        assert (account.name, account.plan) == ("Renamed", "ultimate")
        assert AuditEvent.objects.get(action="account.edited").changes == {"plan": ["pro", "ultimate"]}


class TestToken:
    def test_is_listed_without_its_digest(self, boss, token):
        row, plain = token

        page = boss.get(list_url(ApiToken)).content.decode()

        assert row.token_key[:8] in page
        assert row.digest not in page
        assert plain not in page

    def test_is_revoked_by_post(self, boss, token):
        row, _ = token
        address = reverse("admin:accounts_apitoken_revoke", args=(row.token_key,))

        asked = boss.get(address).content.decode()
        before = ApiToken.objects.count()
        response = boss.post(address, {"sure": "on"}, follow=True)

        assert (before, ApiToken.objects.count()) == (1, 0)
        assert AuditEvent.objects.last().action == "token.issued"
        assert AuditEvent.objects.first().action == "token.revoked"
        assert row.digest not in asked + response.content.decode()
        assert not LogEntry.objects.exists()

    def test_is_revoked_only_with_the_permission(self, staff_with, token):
        row, _ = token
        client = staff_with("view_apitoken")

        response = client.post(
            reverse("admin:accounts_apitoken_revoke", args=(row.token_key,)), {"sure": "on"}
        )

        assert response.status_code == 403
        assert ApiToken.objects.exists()

    def test_has_no_page_that_names_its_digest(self, boss, token):
        row, _ = token

        assert boss.get(f"{list_url(ApiToken)}{row.digest}/change/").status_code == 404
        assert row.digest not in boss.get(change_url(row.user)).content.decode()
