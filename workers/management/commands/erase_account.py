"""Erase an account for good: its connections, facts, tokens, people and audit log."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import erasure, sql_readers
from accounts.models import Account
from alerts import outbox
from integrations.models import Connection
from workers import lifecycle

_ACTOR = "manage.py erase_account"


class Command(BaseCommand):
    help = (
        "Erase an account with everything in it, its audit log too. Nothing brings it back but a backup; "
        "one event of the installation remains, which says that it was erased."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--account", required=True, help="the account's name")
        parser.add_argument("--confirm", required=True, help="the account's name once more")

    def handle(self, *_: Any, account: str, confirm: str, **__: Any) -> None:
        found = Account.objects.filter(name=account).first()
        if found is None:
            raise CommandError(f"There is no account {account!r}.")
        if confirm != account:
            raise CommandError("--confirm: give the same name as with --account.")
        connections = Connection.objects.filter(account=found)
        count = connections.count()
        # One after the other, each under its lane's lock: a worker in the middle of a write finishes before.
        for connection in connections:
            lifecycle.disconnect(connection, erase=True, actor=_ACTOR)
        with transaction.atomic():
            erased = erasure.erase(found, actor=_ACTOR, connections=count)
            outbox.forget(erased.addresses)
        for role in erased.keeping_rights:
            self.stderr.write(sql_readers.what_is_left(role))
        self.stdout.write(f"Erased {account} with {count} connections.")
