"""Print a new API token, alone, on standard output."""

import argparse
import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import tokens
from accounts.bootstrap import ensure_admin, ensure_default_account
from accounts.models import Account, Role, User
from accounts.tokens import Terms


class Command(BaseCommand):
    help = "Create an API token and print it. It is stored as a digest only and cannot be shown again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="what the token is for")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--account", help="the account's name (default: the default account)")
        parser.add_argument(
            "--read-only", action="store_true", help="it may change nothing, whatever its role"
        )
        parser.add_argument("--expires-days", type=int, help="default: never")

    def handle(self, **options: Any) -> None:
        account = self._account(options["account"])
        days = options["expires_days"]
        if days is not None and days < 1:
            raise CommandError("--expires-days: give a whole number of days, 1 or more.")
        first = ensure_admin()
        if first:
            self.stderr.write(f"First run: sign in as {first.email} with password {first.password}")
        owner = (
            User.objects.filter(memberships__account=account, memberships__role=Role.ADMIN, is_active=True)
            .order_by("pk")
            .first()
        )
        if owner is None:
            raise CommandError(f"Account {account.name!r} has no administrator. Add one in the admin first.")
        terms = Terms(
            options["name"],
            Role(options["role"]),
            is_read_only=options["read_only"],
            expires_in=dt.timedelta(days=days) if days else None,
        )
        _, plain = tokens.issue(account, owner, terms, actor="manage.py issue_token")
        self.stdout.write(plain)

    def _account(self, name: str | None) -> Account:
        if name is None:
            return ensure_default_account()
        account = Account.objects.filter(name=name).first()
        if account is None:
            known = ", ".join(Account.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"There is no account {name!r}. Known: {known}.")
        return account
