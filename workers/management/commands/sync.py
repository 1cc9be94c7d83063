"""Force a sync from a shell."""

import argparse
import datetime as dt
import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from foundation.periods import DayRange
from integrations.models import Connection
from workers import lifecycle
from workers.follow import follow, outcome
from workers.lifecycle import ConnectionStandsStillError, RangeError
from workers.models import SyncRun


class Command(BaseCommand):
    help = (
        "Fetch today and the trailing days of a connection now, or the days from --from to --to (exclusive)."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--connection", required=True, metavar="ID", help="the connection's id or label")
        parser.add_argument("--from", dest="start", metavar="D", help="first day, YYYY-MM-DD UTC")
        parser.add_argument("--to", dest="end", metavar="D", help="day after the last, YYYY-MM-DD UTC")
        parser.add_argument(
            "--wait", action="store_true", help="follow the run; status 1 if it does not succeed"
        )
        parser.add_argument("--json", action="store_true", help="print the run as JSON on standard output")

    def handle(self, **options: Any) -> None:
        connection = self._connection(options["connection"])
        try:
            run, created = lifecycle.force_sync(
                connection, self._days(options["start"], options["end"]), actor="manage.py sync"
            )
        except (ConnectionStandsStillError, RangeError) as error:
            raise CommandError(str(error)) from error
        console = Console(stderr=True, highlight=False)
        console.print("Queued." if created else "A sync of these days is queued or running already.")
        problem = None
        if options["wait"]:
            problem = outcome(connection, follow([run.pk], console))
            run.refresh_from_db()
        self.stdout.write(_as_json(run) if options["json"] else str(run.pk))
        if problem:
            raise CommandError(problem)

    def _connection(self, wanted: str) -> Connection:
        live = Connection.objects.select_related("account").filter(disconnected_at__isnull=True)
        try:
            found = live.filter(pk=UUID(wanted))
        except ValueError:
            found = live.filter(label=wanted)
        if found.count() != 1:
            known = ", ".join(f"{c.label} ({c.pk})" for c in live[:10]) or "none yet"
            raise CommandError(f"--connection: {wanted!r} names {found.count()} connections. Known: {known}.")
        return found.get()

    def _days(self, start: str | None, end: str | None) -> DayRange | None:
        if start is None and end is None:
            return None
        if start is None or end is None:
            raise CommandError("Give both --from and --to, or neither.")
        try:
            return DayRange(dt.date.fromisoformat(start), dt.date.fromisoformat(end))
        except ValueError as error:
            raise CommandError(
                f"--from, --to: {error}. Write days as YYYY-MM-DD, the later one second."
            ) from error


def _as_json(run: SyncRun) -> str:
    counts = ("requests", "rows_added", "rows_changed", "rows_removed", "rows_unchanged")
    return json.dumps(
        {"id": str(run.pk), "status": run.status, "from": str(run.from_day), "to": str(run.to_day)}
        | {name: getattr(run, name) for name in counts}
    )
