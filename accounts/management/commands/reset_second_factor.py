"""Take every second factor from somebody who has lost theirs, and end their sessions."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import audit, second_factor, sessions
from accounts.models import User

_ACTOR = "manage.py reset_second_factor"


class Command(BaseCommand):
    help = (
        "Remove the second factors and recovery codes of a person who has lost them; the password stays. Make sure "
        "first that it is the person who asks."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("email")

    @transaction.atomic
    def handle(self, *_: Any, email: str, **__: Any) -> None:
        user = User.objects.filter(email=email.lower()).first()
        if user is None:
            raise CommandError(f"Nobody here has the address {email}.")
        if not second_factor.take_all(user):
            raise CommandError(f"{user.email} has no second factor.")
        audit.record_person(user, "second_factor.reset", actor=_ACTOR)
        sessions.end(user)
        self.stdout.write(
            f"{user.email} signs in with the password alone now, and should add a second factor."
        )
