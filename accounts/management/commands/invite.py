"""Invite somebody into an account from a shell, and print the link: for the first people, and without a mail server."""

import argparse
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone

from accounts import invitations
from accounts.bootstrap import ensure_default_account
from accounts.invitations import AlreadyMemberError, Offer, TooManyInvitationsError
from accounts.models import Account, Role


class Command(BaseCommand):
    help = "Invite somebody and print the link, which works once and for a week; whoever has it joins with that address."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--account", help="the account's name (default: the default account)")

    def handle(self, *_: Any, email: str, role: str, account: str | None, **__: Any) -> None:
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email!r} is no e-mail address.") from error
        where = ensure_default_account() if account is None else Account.objects.filter(name=account).first()
        if where is None:
            raise CommandError(f"There is no account {account!r}.")
        try:
            invited = invitations.invite(
                where, Offer(email, Role(role)), invited_by=None, actor="manage.py invite", now=timezone.now()
            )
        except (AlreadyMemberError, TooManyInvitationsError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(settings.PUBLIC_URL + reverse("invitation", args=(invitations.token_of(invited),)))
