"""Create the default account and administrator on first run and print how to sign in."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.bootstrap import ensure_admin


class Command(BaseCommand):
    help = "Create the default account and its administrator if nobody exists, and print the password once."

    # Said before it is true: a connection that breaks at the commit may leave an administrator behind, and whoever asks
    # again would not be told how to sign in. Of several passwords the last one is right.
    @transaction.atomic
    def handle(self, **_options: Any) -> None:
        first = ensure_admin()
        if first:
            self.stdout.write(f"Sign in as {first.email} with password {first.password}")
            self.stdout.write(
                f"The password is shown this once; change it with: manage.py changepassword {first.email}"
            )
            self.stdout.flush()
