from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Account, AuditEvent, Membership, User
from tests.accounts.test_sign_in import add_app, sign_in

pytestmark = pytest.mark.django_db


class TestInvite:
    def test_prints_a_link_that_lets_in(self, account, capsys):
        call_command("invite", "new@example.com", "--role", "admin", "--account", account.name)

        link = urlsplit(capsys.readouterr().out.strip())
        client = Client()
        client.post(link.path, {"password": "battery horse correct"})
        assert client.get("/").status_code == 200
        assert Membership.objects.get().role == "admin"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("nonsense", "--role", "viewer"), "no e-mail address"),
            (("a@example.com", "--role", "viewer", "--account", "Nowhere"), "no account 'Nowhere'"),
            (
                ("alice@example.com", "--role", "viewer", "--account", "Alice's company"),
                "belongs to this account",
            ),
        ],
    )
    def test_refuses_in_words(self, alice, arguments, words):
        with pytest.raises(CommandError, match=words):
            call_command("invite", *arguments)

    def test_goes_to_the_default_account(self, db):
        call_command("invite", "new@example.com", "--role", "viewer")

        assert Account.objects.get().invitations.exists()


class TestResetSecondFactor:
    def test_lets_somebody_in_with_the_password_again(self, client, alice):
        sign_in(client, alice.user.email)
        add_app(client)

        call_command("reset_second_factor", "Alice@example.com")

        assert not Authenticator.objects.exists()
        assert client.get("/").status_code == 302  # their sessions are ended
        assert sign_in(Client(), alice.user.email)["Location"] == "/"
        event = AuditEvent.objects.get(action="second_factor.reset")
        assert (event.actor, event.target) == ("manage.py reset_second_factor", "alice@example.com")

    @pytest.mark.parametrize(
        ("email", "words"), [("nobody@example.com", "Nobody"), ("alice@example.com", "no second")]
    )
    def test_refuses_in_words(self, alice, email, words):
        with pytest.raises(CommandError, match=words):
            call_command("reset_second_factor", email)


class TestChangePassword:
    NEW = "quite another horse"

    @pytest.fixture
    def alice(self, alice):
        return alice.user

    @pytest.fixture
    def type_in(self, monkeypatch):
        """Have somebody type these, one after the other."""

        def type_in(*lines: str) -> None:
            typed = iter(lines)
            monkeypatch.setattr("getpass.getpass", lambda **_: next(typed))

        return type_in

    def test_is_told_in_the_log_and_ends_what_the_old_one_opened(self, client, alice, type_in):
        sign_in(client, alice.email)
        type_in(self.NEW, self.NEW)

        call_command("changepassword", "Alice@example.com")

        alice.refresh_from_db()
        event = AuditEvent.objects.get(action="password.set_by_operator")
        assert alice.check_password(self.NEW)
        assert (event.actor, event.target) == ("manage.py changepassword", alice.email)
        assert not UserSession.objects.filter(user=alice).exists()
        assert client.get("/").status_code == 302

    def test_brings_nobody_back_who_was_shut_out_while_it_was_typed(self, alice, monkeypatch):
        def type_slowly(**_: str) -> str:
            User.objects.filter(pk=alice.pk).update(is_active=False)
            return self.NEW

        monkeypatch.setattr("getpass.getpass", type_slowly)

        call_command("changepassword", alice.email)

        alice.refresh_from_db()
        assert (alice.is_active, alice.check_password(self.NEW)) == (False, True)

    def test_asks_again_for_what_differs_or_is_weak(self, alice, type_in, capsys):
        type_in(self.NEW, "another", "short", "short", self.NEW, self.NEW)

        call_command("changepassword", alice.email)

        alice.refresh_from_db()
        assert alice.check_password(self.NEW)
        assert "two different passwords" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("email", "words"),
        [("nobody@example.com", "Nobody here has the address"), ("alice@example.com", "Nothing was changed")],
    )
    def test_refuses_in_words(self, alice, type_in, email, words):
        type_in(*["short"] * 6)
        before = alice.password

        with pytest.raises(CommandError, match=words):
            call_command("changepassword", email)

        alice.refresh_from_db()
        assert alice.password == before
        assert not AuditEvent.objects.filter(action="password.set_by_operator").exists()
