"""Re-encrypt everything stored under the ring with its active key."""

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import audit, second_factor
from accounts.second_factor import SecondFactorUnreadableError
from config import ring
from integrations import vault
from integrations.models import Credential
from integrations.vault import VaultError


class Command(BaseCommand):
    help = (
        "Re-encrypt every stored key and second factor with the first key of CREDENTIAL_KEYS; older ring keys can "
        "go afterwards. Web and workers may go on meanwhile."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--give-up",
            metavar="ID",
            help="delete what is stored under a ring key that is lost for good; connections need their keys again",
        )

    def handle(self, *_: Any, give_up: str | None, **_options: Any) -> None:
        if give_up is not None:
            self._give_up(give_up)
            return
        moved, problems = 0, []
        for pk in Credential.objects.values_list("pk", flat=True):
            try:
                moved += _reseal(pk)
            except VaultError as error:
                problems.append(str(error))
        factors = 0
        try:
            factors = second_factor.reseal_all()
        except SecondFactorUnreadableError as error:
            problems.append(str(error))
        active = ring.key_ids()[0]
        if moved + factors:
            audit.record(None, "manage.py rotate_credentials", "keys.resealed", active, count=moved + factors)
        self.stdout.write(f"{moved} keys and {factors} second factors moved to ring key {active!r}.")
        if problems:
            raise CommandError("\n".join(problems))

    @transaction.atomic
    def _give_up(self, key_id: str) -> None:
        if key_id in ring.key_ids():
            raise CommandError(f"The ring has key {key_id!r}: what is stored under it can be read.")
        keys, _ = Credential.objects.filter(key_id=key_id).delete()
        factors = second_factor.give_up(key_id)
        if not keys + factors:
            raise CommandError(f"Nothing is stored under ring key {key_id!r}.")
        audit.record(None, "manage.py rotate_credentials", "keys.given_up", key_id, count=keys + factors)
        self.stdout.write(
            f"Deleted {keys} keys and {factors} second factors. Replace the keys of the connections that ask for it."
        )


def _reseal(pk: UUID) -> bool:
    """Move one row in one transaction: an interrupted run leaves every key readable."""
    with transaction.atomic():
        credential = (
            Credential.objects.select_for_update(of=("self",))
            .select_related("connection")
            .filter(pk=pk)
            .first()
        )
        # Its connection may have been disconnected since the list was made.
        return credential is not None and vault.reseal(credential)
