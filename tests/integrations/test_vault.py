from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent
from accounts.second_factor import MfaAdapter
from integrations import checks, vault
from integrations.models import Connection, Credential
from integrations.vault import VaultError

KEY = "sk-ant-admin01-plain-text-of-a-key"
OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(account, settings) -> Connection:
    settings.CREDENTIAL_KEYS = (OLD,)
    made = Connection.objects.create(
        account=account,
        origin="claude_platform",
        label="A",
        organization_id="o1",
        backfill_days=365,
        wanted_from="2025-11-01",
    )
    vault.seal(made, KEY)
    return made


@pytest.fixture
def other_connection(connection) -> Connection:
    made = Connection.objects.create(
        account=connection.account,
        origin="claude_platform",
        label="B",
        organization_id="o2",
        backfill_days=1,
        wanted_from="2025-11-01",
    )
    vault.seal(made, KEY)
    return made


class TestSeal:
    def test_can_be_opened_again_and_does_not_hold_the_plain_key(self, connection):
        stored = Credential.objects.get()

        assert vault.unseal(stored) == KEY
        assert KEY.encode() not in bytes(stored.sealed)

    def test_never_gives_the_same_ciphertext_twice(self, connection):
        first = bytes(Credential.objects.get().sealed)

        vault.seal(connection, KEY)

        assert bytes(Credential.objects.get().sealed) != first


class TestUnseal:
    def test_refuses_a_ciphertext_of_another_row(self, connection, other_connection):
        Credential.objects.filter(connection=other_connection).update(sealed=connection.credential.sealed)

        with pytest.raises(VaultError, match="does not open"):
            vault.unseal(Credential.objects.get(connection=other_connection))

    def test_names_the_ring_key_that_is_missing(self, connection, settings):
        settings.CREDENTIAL_KEYS = (NEW,)

        with pytest.raises(VaultError, match="'old' is missing"):
            vault.unseal(Credential.objects.get())


class TestRotateCredentials:
    def test_moves_every_key_to_the_active_ring_key(self, connection, settings, capsys):
        settings.CREDENTIAL_KEYS = (NEW, OLD)

        call_command("rotate_credentials")

        settings.CREDENTIAL_KEYS = (NEW,)
        assert vault.unseal(Credential.objects.get()) == KEY
        assert "1 keys and 0 second factors moved" in capsys.readouterr().out

    def test_says_which_key_it_could_not_open_and_leaves_it(self, connection, settings):
        before = bytes(Credential.objects.get().sealed)
        settings.CREDENTIAL_KEYS = (NEW,)

        with pytest.raises(CommandError, match="'old' is missing"):
            call_command("rotate_credentials")

        assert bytes(Credential.objects.get().sealed) == before

    def test_says_which_key_another_ring_has_sealed_under_the_same_id(self, connection, settings):
        settings.CREDENTIAL_KEYS = ((OLD[0], b"x" * 32),)

        with pytest.raises(CommandError, match="does not open with ring key 'old'"):
            call_command("rotate_credentials")

    def test_moves_the_second_factors_beside_one_that_does_not_open(self, admin_user, settings):
        settings.CREDENTIAL_KEYS = (OLD,)
        good = {"secret": MfaAdapter().encrypt("A")}
        Authenticator.objects.create(user=admin_user, type="totp", data={"secret": "old:AAAA"})
        Authenticator.objects.create(user=admin_user, type="recovery_codes", data=good)
        settings.CREDENTIAL_KEYS = (NEW, OLD)

        with pytest.raises(CommandError, match="does not open"):
            call_command("rotate_credentials")

        assert Authenticator.objects.get(type="recovery_codes").data["secret"].startswith("new:")


class TestGiveUp:
    def test_deletes_what_is_stored_under_a_lost_key_so_that_a_start_is_possible(
        self, connection, settings, capsys
    ):
        settings.CREDENTIAL_KEYS = (NEW,)

        call_command("rotate_credentials", "--give-up", "old")

        assert not Credential.objects.exists()
        assert checks.refusal_to_start() == ""
        assert AuditEvent.objects.get().action == "keys.given_up"

    def test_leaves_what_can_be_read(self, connection, settings):
        settings.CREDENTIAL_KEYS = (NEW, OLD)

        with pytest.raises(CommandError, match="can be read"):
            call_command("rotate_credentials", "--give-up", "old")

        assert Credential.objects.exists()

    def test_under_an_id_of_the_ring_deletes_only_what_does_not_open(self, connection, other_connection):
        Credential.objects.filter(connection=other_connection).update(sealed=b"damaged")

        call_command("rotate_credentials", "--give-up", "old")

        assert Credential.objects.get().connection == connection

    def test_says_when_there_is_nothing(self, connection):
        with pytest.raises(CommandError, match="Nothing is stored"):
            call_command("rotate_credentials", "--give-up", "never")

    def test_takes_second_factors_that_nobody_can_read_and_leaves_passkeys(
        self, connection, admin_user, settings
    ):
        Authenticator.objects.create(user=admin_user, type="totp", data={"secret": MfaAdapter().encrypt("A")})
        Authenticator.objects.create(user=admin_user, type="webauthn", data={"name": "Laptop"})
        settings.CREDENTIAL_KEYS = (NEW,)

        call_command("rotate_credentials", "--give-up", "old")

        assert Authenticator.objects.get().type == "webauthn"


class TestRingCheck:
    def test_refuses_a_ring_that_lacks_a_stored_keys_ring_key(self, connection, settings):
        settings.CREDENTIAL_KEYS = (NEW,)

        found = checks.ring_opens_what_is_stored(databases=["default"])

        assert [error.id for error in found] == ["integrations.E001"]

    def test_is_content_with_an_older_key_behind_the_active_one(self, connection, settings):
        settings.CREDENTIAL_KEYS = (NEW, OLD)

        assert checks.ring_opens_what_is_stored(databases=["default"]) == []

    def test_looks_at_second_factors_too(self, connection, admin_user, settings):
        Authenticator.objects.create(user=admin_user, type="totp", data={"secret": MfaAdapter().encrypt("A")})
        Credential.objects.all().delete()
        settings.CREDENTIAL_KEYS = (NEW,)

        assert checks.missing_ring_keys() == ["old"]

    def test_says_why_a_start_is_refused_and_what_to_do(self, connection, settings):
        settings.CREDENTIAL_KEYS = (NEW,)

        assert checks.refusal_to_start().startswith("CREDENTIAL_KEYS lacks key 'old'")
        assert "Put it back behind the active one" in checks.refusal_to_start()

    def test_lets_start_with_a_ring_that_opens_everything(self, connection):
        assert checks.refusal_to_start() == ""

    def test_refuses_another_key_under_the_id_of_the_right_one(self, connection, settings):
        settings.CREDENTIAL_KEYS = ((OLD[0], b"x" * 32),)

        assert checks.refusal_to_start().startswith("CREDENTIAL_KEYS has another key 'old'")
        assert [error.id for error in checks.ring_opens_what_is_stored(databases=["default"])] == [
            "integrations.E001"
        ]

    def test_finds_another_key_of_second_factors_too(self, connection, admin_user, settings):
        Authenticator.objects.create(user=admin_user, type="totp", data={"secret": MfaAdapter().encrypt("A")})
        Credential.objects.all().delete()
        settings.CREDENTIAL_KEYS = ((OLD[0], b"x" * 32),)

        assert checks.other_ring_keys() == ["old"]

    def test_starts_although_one_of_two_keys_was_damaged(self, connection, other_connection):
        Credential.objects.filter(connection=other_connection).update(sealed=b"damaged")

        assert checks.refusal_to_start() == ""
