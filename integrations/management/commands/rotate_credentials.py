"""Re-encrypt stored keys with the active key of the ring."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from integrations import vault
from integrations.models import Credential
from integrations.vault import VaultError


class Command(BaseCommand):
    help = "Re-encrypt every stored key with the first key of CREDENTIAL_KEYS; older ring keys can go afterwards."

    def handle(self, **_options: Any) -> None:
        moved, problems = 0, []
        for pk in Credential.objects.values_list("pk", flat=True):
            # One row, one transaction: an interrupted run leaves every key readable.
            with transaction.atomic():
                credential = Credential.objects.select_for_update().select_related("connection").get(pk=pk)
                try:
                    moved += vault.reseal(credential)
                except VaultError as error:
                    problems.append(str(error))
        self.stdout.write(f"{moved} keys moved to ring key {vault.active_key_id()!r}.")
        if problems:
            raise CommandError("\n".join(problems))
