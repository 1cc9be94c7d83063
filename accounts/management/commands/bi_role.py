"""Let a login role of the database read one account through the SQL views, or take that from it."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import sql_readers
from accounts.bootstrap import ensure_default_account
from accounts.models import Account
from accounts.sql_readers import UnfitRoleError

_ACTOR = "manage.py bi_role"


class Command(BaseCommand):
    help = (
        "Without an option: print the SQL with which an administrator of the database makes the role. Then --apply "
        "lets it read one account through the views of the schema bi, and nothing else."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("role", help="the role's name: lower-case letters, digits and underscores")
        parser.add_argument("--account", help="the account's name (default: the default account)")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--apply", action="store_true", help="let the role read the account")
        what.add_argument(
            "--revoke",
            action="store_true",
            help="take what --apply gave, also after its account was erased; the role stays",
        )

    def handle(self, *_: Any, role: str, account: str | None, apply: bool, revoke: bool, **__: Any) -> None:
        try:
            if apply:
                where = self._account(account)
                views = sql_readers.grant(role, where, actor=_ACTOR)
                self.stdout.write(f"{role} may read {where} through {len(views)} views of the schema bi.")
                self._warn(role)
            elif revoke:
                self._revoke(role)
            else:
                self.stdout.write(
                    "\n".join([*sql_readers.statements(role), *sql_readers.closing_statements(role)])
                )
                self.stderr.write(
                    f"Run this as an administrator of the database, give it a password (\\password {role}), then: "
                    f"manage.py bi_role {role} --account NAME --apply"
                )
        except UnfitRoleError as error:
            raise CommandError(str(error)) from error

    def _warn(self, role: str) -> None:
        if left := sql_readers.leftovers(role):
            statements = "\n".join(sql_readers.closing_statements(role))
            self.stderr.write(
                f"It can also make {' and '.join(left)}, and fill the disk with them. An administrator of the database "
                f"ends that with:\n{statements}"
            )

    def _revoke(self, role: str) -> None:
        revoked = sql_readers.revoke(role, actor=_ACTOR)
        if revoked.account:
            self.stdout.write(f"{role} reads {revoked.account} no longer.")
        if revoked.left:
            raise CommandError(sql_readers.what_is_left(role))
        if revoked.account is None:
            self.stdout.write(f"{role} read no account; the rights that it still had are taken.")

    def _account(self, name: str | None) -> Account:
        found = ensure_default_account() if name is None else Account.objects.filter(name=name).first()
        if found is None:
            raise CommandError(f"There is no account {name!r}.")
        return found
