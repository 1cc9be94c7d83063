"""Second factors under the ring: sealed, moved to a new key, and unreadable without theirs."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts import second_factor
from accounts.models import AuditEvent
from accounts.second_factor import MfaAdapter, SecondFactorUnreadableError
from tests.accounts.test_sign_in import add_app, code_of, sign_in
from tests.others import at_once

OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
pytestmark = pytest.mark.django_db


@pytest.fixture
def secret(client, alice, settings) -> str:
    """The secret of Alice's app, stored under the old key."""
    settings.CREDENTIAL_KEYS = (OLD,)
    sign_in(client, alice.user.email)
    return add_app(client)


class TestRotation:
    def test_moves_second_factors_and_they_go_on_working(self, alice, secret, settings, capsys):
        settings.CREDENTIAL_KEYS = (NEW, OLD)

        call_command("rotate_credentials")

        settings.CREDENTIAL_KEYS = (NEW,)
        client = Client()
        sign_in(client, alice.user.email)
        assert client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})["Location"] == "/"
        assert "0 keys and 2 second factors moved to ring key 'new'" in capsys.readouterr().out
        assert AuditEvent.objects.get(action="keys.resealed").changes == {"count": 2}

    def test_keeps_used_recovery_codes_used(self, client, alice, secret, settings):
        code = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"][0]
        first, second = Client(), Client()
        [sign_in(each, alice.user.email) for each in (first, second)]
        first.post(reverse("mfa_authenticate"), {"code": code})
        settings.CREDENTIAL_KEYS = (NEW, OLD)

        call_command("rotate_credentials")

        assert second.post(reverse("mfa_authenticate"), {"code": code}).status_code == 200

    def test_the_second_time_moves_nothing_and_is_no_event(self, secret, settings, capsys):
        settings.CREDENTIAL_KEYS = (NEW, OLD)
        call_command("rotate_credentials")

        call_command("rotate_credentials")

        assert "0 keys and 0 second factors" in capsys.readouterr().out
        assert AuditEvent.objects.filter(action="keys.resealed").count() == 1

    def test_says_when_a_ring_key_is_missing(self, secret, settings):
        settings.CREDENTIAL_KEYS = (NEW,)

        with pytest.raises(CommandError, match="'old' is missing"):
            call_command("rotate_credentials")


@pytest.mark.django_db(transaction=True)
def test_a_code_that_is_used_while_factors_are_moved_stays_used(alice, settings):
    settings.CREDENTIAL_KEYS = (OLD,)
    data = {"seed": MfaAdapter().encrypt("seed"), "used_mask": 0}
    row = Authenticator.objects.create(user=alice.user, type=Authenticator.Type.RECOVERY_CODES, data=data)
    settings.CREDENTIAL_KEYS = (NEW, OLD)

    refused = at_once(
        lambda: Authenticator.objects.filter(pk=row.pk).update(data=data | {"used_mask": 1}),
        second_factor.reseal_all,
    )

    row.refresh_from_db()
    assert refused is None
    assert row.data["seed"].startswith("new:")
    assert row.data["used_mask"] == 1


class TestAdapter:
    def test_never_gives_the_same_ciphertext_twice(self, settings):
        settings.CREDENTIAL_KEYS = (OLD,)

        assert MfaAdapter().encrypt("A") != MfaAdapter().encrypt("A")

    @pytest.mark.parametrize("stored", ["", "old:", "old:!", "old:AAAA", "plain"])
    def test_refuses_what_it_did_not_seal(self, settings, stored):
        settings.CREDENTIAL_KEYS = (OLD,)

        with pytest.raises(SecondFactorUnreadableError):
            MfaAdapter().decrypt(stored)

    def test_tells_the_keys_in_use(self, secret):
        assert second_factor.stored_key_ids() == {"old"}
        assert Authenticator.objects.count() == 2
