from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Account, AuditEvent, Membership
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
