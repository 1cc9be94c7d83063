"""Signing in through the pages, as a browser without scripts does it."""

from __future__ import annotations

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import second_factor
from accounts.models import AuditEvent, Membership, Role, User
from alerts import outbox
from alerts.models import OutboxMessage
from foundation import ring

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.django_db


def sign_in(client: Client, email: str, password: str = PASSWORD, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


def code_of(secret: str) -> str:
    """The code an authenticator app shows now; used ones are forgotten, since a test must not wait half a minute."""
    cache.clear()
    (counter,) = totp.yield_hotp_counters_from_time()
    return totp.format_hotp_value(totp.hotp_value(secret, counter))


def add_app(client: Client) -> str:
    """Add an authenticator app in the pages and return its secret."""
    page = client.get(reverse("mfa_activate_totp"))
    if page.status_code == 302:  # a while after signing in the password is asked for again
        client.post(page["Location"], {"password": PASSWORD})
        page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert answer["Location"] == reverse("mfa_view_recovery_codes"), answer.content
    return secret


def actions_of(account) -> list[str]:
    return list(AuditEvent.objects.filter(account=account).order_by("pk").values_list("action", flat=True))


@pytest.fixture
def bob(account) -> User:
    """A person without powers over the installation."""
    user = User.objects.create_user("bob@example.com", PASSWORD)
    Membership.objects.create(account=account, user=user, role=Role.ADMIN)
    return user


class TestPassword:
    def test_opens_and_is_recorded(self, client, account, bob):
        assert sign_in(client, "Bob@example.com")["Location"] == "/"

        assert client.get("/").status_code == 200
        assert actions_of(account) == ["person.signed_in"]
        assert AuditEvent.objects.get().changes == {"method": "a password"}

    def test_is_never_kept_in_the_log_when_it_is_wrong(self, client, account, bob):
        sign_in(client, bob.email, "Sommer2026!")

        event = AuditEvent.objects.get(action="person.sign_in_failed")
        assert (event.actor, event.changes) == (bob.email, {})

    def test_of_nobody_leaves_an_event_of_the_installation(self, client, account, bob):
        sign_in(client, "nobody@example.com")

        assert AuditEvent.objects.get().account is None

    def test_locks_a_person_after_five_wrong_ones(self, client, bob):
        for attempt in range(5):
            sign_in(client, bob.email, f"wrong {attempt}")

        answer = sign_in(client, bob.email)

        assert "Too many failed login attempts" in answer.text
        assert client.get("/").status_code == 302

    def test_locks_an_address_after_ten_wrong_ones_whoever_they_are_for(self, client, bob):
        for attempt in range(10):
            sign_in(client, f"person{attempt}@example.com")

        assert "Too many failed login attempts" in sign_in(client, bob.email).text
        assert sign_in(client, bob.email, REMOTE_ADDR="203.0.113.9").status_code == 302

    def test_is_counted_where_all_processes_see_it(self, client, bob):
        """The lock is in Redis, not in the memory of one web process: five of eight threads would be forty."""
        sign_in(client, bob.email, "wrong")

        assert any(b"login_failed" in key for key in cache._cache.get_client().keys("*"))

    @pytest.mark.parametrize(
        ("password", "words"),
        [
            ("short", "at least 12"),
            ("1qaz2wsx3edc", "too common"),
            ("bob@example.com", "too similar"),
        ],
    )
    def test_has_rules(self, client, bob, password, words):
        client.force_login(bob)
        form = {"oldpassword": PASSWORD, "password1": password, "password2": password}

        assert words in client.post(reverse("account_change_password"), form).text

    def test_when_changed_ends_every_other_session_and_is_told_by_mail(self, client, account, bob):
        elsewhere = Client()
        sign_in(elsewhere, bob.email)
        sign_in(client, bob.email)
        new = "battery horse correct"

        client.post(
            reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new}
        )

        assert elsewhere.get("/").status_code == 302
        assert client.get("/").status_code == 200
        assert actions_of(account)[-1] == "password.changed"
        mail = OutboxMessage.objects.get()
        assert (mail.recipient, mail.account) == (bob.email, None)

    def test_is_reset_by_a_mail_that_leaves_through_the_outbox(self, client, bob):
        client.post(reverse("account_reset_password"), {"email": bob.email})

        mail = OutboxMessage.objects.get()
        assert mail.recipient == bob.email
        assert "/accounts/password/reset/key/" in mail.body

    def test_reset_writes_to_nobody_who_is_not_here(self, client, bob):
        client.post(reverse("account_reset_password"), {"email": "stranger@example.com"})

        outbox.send_due(now=timezone.now())

        assert mail.outbox == []
        assert not OutboxMessage.objects.exists()

    def test_change_writes_nothing_but_the_password(self, admin_user, monkeypatch):
        """Hashing takes a while: whoever is shut out meanwhile stays shut out."""
        client, hashed = Client(), User.set_password
        client.force_login(admin_user)

        def shut_out(user: User, password: str) -> None:
            User.objects.filter(pk=user.pk).update(is_active=False, is_superuser=False)
            hashed(user, password)

        monkeypatch.setattr(User, "set_password", shut_out)
        form = {"oldpassword": PASSWORD, "password1": "another long horse", "password2": "another long horse"}

        client.post(reverse("account_change_password"), form)

        user = User.objects.get(pk=admin_user.pk)
        assert user.check_password("another long horse")
        assert (user.is_active, user.is_superuser) == (False, False)


class TestAuthenticatorApp:
    def test_is_asked_for_after_the_password(self, client, account, bob):
        sign_in(client, bob.email)
        secret = add_app(client)
        again = Client()

        first = sign_in(again, bob.email)
        closed = again.get("/").status_code
        second = again.post(reverse("mfa_authenticate"), {"code": code_of(secret)})

        assert (first["Location"], closed) == (reverse("mfa_authenticate"), 302)
        assert second["Location"] == "/"
        assert again.get("/").status_code == 200
        latest = AuditEvent.objects.filter(action="person.signed_in").order_by("pk").last()
        assert latest.changes == {"method": "a password and authenticator app"}

    def test_is_sealed_at_rest(self, client, bob):
        sign_in(client, bob.email)

        secret = add_app(client)

        stored = {row.type: row.data for row in Authenticator.objects.all()}
        assert secret not in str(stored)
        assert stored["totp"]["secret"].partition(":")[0] == ring.key_ids()[0]
        assert second_factor.stored_key_ids() == {ring.key_ids()[0]}

    def test_code_works_once(self, client, bob):
        sign_in(client, bob.email)
        secret = add_app(client)
        code, first, second = code_of(secret), Client(), Client()
        [sign_in(each, bob.email) for each in (first, second)]

        answers = [
            each.post(reverse("mfa_authenticate"), {"code": code}).status_code for each in (first, second)
        ]

        assert answers == [302, 200]

    def test_code_cannot_be_guessed(self, client, account, bob):
        sign_in(client, bob.email)
        secret = add_app(client)
        guess = Client()
        sign_in(guess, bob.email)

        for attempt in range(5):
            guess.post(reverse("mfa_authenticate"), {"code": f"{attempt:06}"})
        (counter,) = totp.yield_hotp_counters_from_time()
        right = totp.format_hotp_value(totp.hotp_value(secret, counter))
        answer = guess.post(reverse("mfa_authenticate"), {"code": right})

        assert "Too many failed login attempts" in answer.text
        assert actions_of(account).count("second_factor.failed") >= 4

    def test_needs_the_password_again_after_a_while(self, client, bob):
        sign_in(client, bob.email)
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 3600}]
        session.save()

        answer = client.get(reverse("mfa_activate_totp"))

        assert answer["Location"].startswith(reverse("account_reauthenticate"))

    def test_is_removed_with_its_codes_and_recorded(self, client, account, bob):
        sign_in(client, bob.email)
        add_app(client)

        client.post(reverse("mfa_deactivate_totp"))

        assert not Authenticator.objects.exists()
        assert actions_of(account).count("second_factor.removed") == 2


@pytest.mark.django_db(transaction=True)
class TestRecoveryCodes:
    def test_are_shown_once_and_work_once(self, client, account, bob):
        sign_in(client, bob.email)
        add_app(client)
        shown = client.get(reverse("mfa_view_recovery_codes"))
        code = shown.context["unused_codes"][0]
        again = client.get(reverse("mfa_view_recovery_codes"))
        first, second = Client(), Client()
        [sign_in(each, bob.email) for each in (first, second)]

        answers = [
            each.post(reverse("mfa_authenticate"), {"code": code}).status_code for each in (first, second)
        ]

        assert code in shown.text
        assert code not in again.text
        assert answers == [302, 200]
        assert "second_factor.recovery_code_used" in actions_of(account)

    def test_are_replaced_by_new_ones(self, client, account, bob):
        sign_in(client, bob.email)
        add_app(client)
        old = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]

        client.post(reverse("mfa_generate_recovery_codes"))

        assert client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"] != old
        told = actions_of(account)
        assert told.count("second_factor.added") == 2  # the app, and the first codes with it
        assert "second_factor.codes_made" in told


class TestOperators:
    def test_without_a_second_factor_may_look_at_everything_but_their_own_pages(self, client, admin_user):
        sign_in(client, admin_user.email)

        answer = client.get("/admin/", follow=True)

        assert client.get("/").status_code == 200
        assert answer.redirect_chain[-1][0] == reverse("mfa_index")
        assert "Operators need a second factor" in answer.text

    @pytest.mark.parametrize(
        "path", ["/admin/", "/admin/accounts/user/", "/admin/accounts/apitoken/", "/admin/jsi18n/"]
    )
    def test_get_no_page_of_theirs_without_it(self, client, admin_user, path):
        client.force_login(admin_user)

        assert client.get(path).status_code == 302

    def test_change_nothing_without_it(self, client, admin_user, account):
        client.force_login(admin_user)

        client.post(f"/admin/accounts/account/{account.pk}/change/", {"name": "Mine", "plan": "free"})

        account.refresh_from_db()
        assert account.name != "Mine"

    def test_enter_once_it_was_shown(self, client, admin_user):
        sign_in(client, admin_user.email)
        secret = add_app(client)
        asked = client.get("/admin/", follow=True)

        client.post(asked.redirect_chain[-1][0], {"code": code_of(secret)})

        assert asked.redirect_chain[-1][0].startswith(reverse("mfa_reauthenticate"))
        assert client.get("/admin/").status_code == 200

    def test_enter_at_once_when_they_signed_in_with_it(self, client, admin_user):
        sign_in(client, admin_user.email)
        secret = add_app(client)
        again = Client()
        sign_in(again, admin_user.email)
        again.post(reverse("mfa_authenticate"), {"code": code_of(secret)})

        assert again.get("/admin/").status_code == 200

    def test_keep_others_out_who_have_shown_one(self, client, bob):
        sign_in(client, bob.email)
        secret = add_app(client)
        again = Client()
        sign_in(again, bob.email)
        again.post(reverse("mfa_authenticate"), {"code": code_of(secret)})

        assert again.get("/admin/", follow=True).status_code == 403

    def test_see_nothing_of_what_sign_in_stores(self, client, admin_user):
        from django.contrib import admin

        labels = {model._meta.app_label for model in admin.site._registry}

        assert not labels & {"account", "mfa", "socialaccount", "usersessions"}


class TestSignUp:
    @pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/sso/signup/"])
    def test_is_closed(self, client, db, path):
        client.post(path, {"email": "me@example.com", "password1": PASSWORD, "password2": PASSWORD})

        assert "by invitation" in client.get(path).text
        assert not User.objects.exists()
