from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

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
    def test_refuses_a_ciphertext_of_another_row(self, connection):
        other = Connection.objects.create(
            account=connection.account,
            origin="claude_platform",
            label="B",
            organization_id="o2",
            backfill_days=1,
            wanted_from="2025-11-01",
        )
        stolen = Credential.objects.get()
        copied = Credential.objects.create(connection=other, key_id=stolen.key_id, sealed=stolen.sealed)

        with pytest.raises(VaultError, match="does not open"):
            vault.unseal(copied)

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


class TestRingCheck:
    def test_refuses_a_ring_that_lacks_a_stored_keys_ring_key(self, connection, settings):
        settings.CREDENTIAL_KEYS = (NEW,)

        found = checks.ring_opens_stored_keys(databases=["default"])

        assert [error.id for error in found] == ["integrations.E001"]

    def test_is_content_with_an_older_key_behind_the_active_one(self, connection, settings):
        settings.CREDENTIAL_KEYS = (NEW, OLD)

        assert checks.ring_opens_stored_keys(databases=["default"]) == []
