"""Print a day of the audit log as one sentence per event."""

import argparse
import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actions import sentence
from accounts.models import Account, AuditEvent


class Command(BaseCommand):
    help = "Print what people and programs did on a day, a sentence for each event, the earliest first."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--day", type=dt.date.fromisoformat, help="a UTC day, YYYY-MM-DD (default: today)"
        )
        parser.add_argument(
            "--account", help="only this account's events (default: all, and the installation's)"
        )

    def handle(self, *_: Any, day: dt.date | None, account: str | None, **__: Any) -> None:
        start = dt.datetime.combine(day or timezone.now().date(), dt.time(), dt.UTC)
        events = AuditEvent.objects.filter(at__gte=start, at__lt=start + dt.timedelta(days=1))
        if account is not None:
            if not Account.objects.filter(name=account).exists():
                raise CommandError(f"There is no account {account!r}.")
            events = events.filter(account__name=account)
        for event in events.order_by("at", "pk").iterator():
            self.stdout.write(f"{event.at.astimezone(dt.UTC):%H:%M:%S} {sentence(event)}")
