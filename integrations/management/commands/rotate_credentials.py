"""Re-encrypt everything stored under the ring with its active key."""

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

    def handle(self, **_options: Any) -> None:
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
