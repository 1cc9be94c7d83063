"""Set the password of somebody who forgot it; in place of Django's, which leaves no trace and writes the whole row."""

import argparse
import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import audit, sessions
from accounts.models import User

_ACTOR = "manage.py changepassword"
_MOST_ATTEMPTS = 3


class Command(BaseCommand):
    help = "Ask for a new password of a person, store it, and end the sessions that the old one opened."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *_: Any, email: str, **__: Any) -> None:
        user = User.objects.filter(email=email.lower()).first()
        if user is None:
            raise CommandError(f"Nobody here has the address {email}.")
        user.set_password(self._ask(user))
        with transaction.atomic():
            # That alone: while it was typed, somebody may have shut the person out.
            user.save(update_fields=["password"])
            audit.record_person(user, "password.set_by_operator", actor=_ACTOR)
            sessions.end(user)
        self.stdout.write(f"{user.email} signs in with the new password from now on.")

    def _ask(self, user: User) -> str:
        for _ in range(_MOST_ATTEMPTS):
            given = getpass.getpass(prompt=f"New password of {user.email}: ")
            if getpass.getpass(prompt="Again: ") != given:
                self.stderr.write("These are two different passwords.")
                continue
            try:
                validate_password(given, user)
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
                continue
            return given
        raise CommandError(f"Nothing was changed after {_MOST_ATTEMPTS} attempts.")
