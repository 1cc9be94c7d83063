"""Add a connection from a shell and follow its backfill; the key comes from the environment or standard input."""

import argparse
import getpass
import json
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from accounts.bootstrap import ensure_default_account
from accounts.models import Account
from integrations.connections import LabelTakenError, NewConnection, RefusedError
from integrations.models import Connection
from workers import lifecycle
from workers.follow import follow, outcome


class Command(BaseCommand):
    help = "Connect an Anthropic organisation. The key is never an argument: other users could read it there."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--label", default="", help="default: Anthropic – the organisation's name")
        parser.add_argument("--cost-center", default="")
        parser.add_argument("--account", help="the account's name (default: the default account)")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--key-env", metavar="NAME", help="environment variable that holds the key")
        source.add_argument("--key-stdin", action="store_true", help="read the key from standard input")
        parser.add_argument("--no-follow", action="store_true", help="return once the backfill is queued")
        parser.add_argument(
            "--json", action="store_true", help="print the connection as JSON on standard output"
        )

    def handle(self, **options: Any) -> None:
        console = Console(stderr=True, highlight=False)
        wanted = NewConnection(self._key(options), options["label"], options["cost_center"])
        try:
            connection = lifecycle.connect(
                self._account(options["account"]), wanted, actor="manage.py connect"
            )
        except RefusedError as error:
            raise CommandError(
                f"{error.advice.detail} {error.advice.remedy} ({error.advice.reason})"
            ) from error
        except LabelTakenError as error:
            raise CommandError(str(error)) from error
        console.print(f"Connected {connection.label} ({connection.organization_id}); backfilling.")
        problem = None
        if not options["no_follow"]:
            runs = follow(list(connection.runs.values_list("pk", flat=True)), console)
            problem = outcome(connection, runs)
        self.stdout.write(_as_json(connection) if options["json"] else str(connection.pk))
        if problem:
            raise CommandError(problem)

    def _key(self, options: dict[str, Any]) -> str:
        if options["key_stdin"]:
            key = getpass.getpass("Key: ") if sys.stdin.isatty() else sys.stdin.read()
        else:
            key = os.environ.get(options["key_env"], "")
        if not key.strip():
            where = "standard input" if options["key_stdin"] else f"the variable {options['key_env']}"
            raise CommandError(f"There is no key in {where}.")
        return key.strip()

    def _account(self, name: str | None) -> Account:
        if name is None:
            return ensure_default_account()
        account = Account.objects.filter(name=name).first()
        if account is None:
            raise CommandError(f"There is no account {name!r}.")
        return account


def _as_json(connection: Connection) -> str:
    return json.dumps(
        {
            "id": str(connection.pk),
            "label": connection.label,
            "organization_id": connection.organization_id,
            "organization_name": connection.organization_name,
            "status": connection.status,
            "reason": connection.reason or None,
        }
    )
