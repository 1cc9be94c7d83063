"""Re-encrypt everything stored under the ring with its active key."""

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import audit, second_factor
from foundation import ring
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
            help="delete what was stored with a ring key that is lost for good and does not open; connections need their "
            "keys again",
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
        factors, unread = second_factor.reseal_all()
        problems += unread
        active = ring.key_ids()[0]
        if moved + factors:
            audit.record(None, "manage.py rotate_credentials", "keys.resealed", active, count=moved + factors)
        self.stdout.write(f"{moved} keys and {factors} second factors moved to ring key {active!r}.")
        if problems:
            raise CommandError("\n".join(problems))

    @transaction.atomic
    def _give_up(self, key_id: str) -> None:
        under = Credential.objects.filter(key_id=key_id)
        lost = [each.pk for each in under.select_related("connection") if not vault.opens(each)]
        keys, _ = under.filter(pk__in=lost).delete()
        factors = second_factor.give_up(key_id)
        if not keys + factors:
            found = "All of it can be read." if key_id in ring.key_ids() else "Nothing is stored."
            raise CommandError(f"There is nothing to give up under ring key {key_id!r}. {found}")
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
