"""Prove from a shell that the stored facts are what the archived answers say."""

import argparse
import datetime as dt
import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from foundation.money import usd_text
from integrations.models import Connection
from workers.replay import Difference, Pair, ReplayError, Result, TableChecksum, replay

# The first days tell what happened; a hundred more would bury them. JSON has all of them.
_DAYS_SHOWN = 10


class Command(BaseCommand):
    help = (
        "Rebuild a connection's facts from its archived pages in a scratch schema and compare them with the stored "
        "ones. Status 0 when they are equal, 1 when they differ or cannot be rebuilt. Nothing stored is changed."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--connection", required=True, metavar="ID", help="the connection's id or label")
        parser.add_argument(
            "--from", dest="start", metavar="D", help="compare from this day on, YYYY-MM-DD UTC"
        )
        parser.add_argument("--keep", action="store_true", help="keep the scratch schema and print its name")
        parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")

    def handle(self, **options: Any) -> None:
        connection = _connection(options["connection"])
        try:
            result = replay(connection, since=_day(options["start"]), keep=options["keep"])
        except ReplayError as error:
            if options["json"]:
                problem = {"problems": error.problems, "possible_from": str(error.possible_from)}
                self.stdout.write(json.dumps({"connection": str(connection.pk), "equal": None, **problem}))
            raise CommandError(
                f"{error} A replay is possible from {error.possible_from} on: --from {error.possible_from}"
            ) from error
        self.stdout.write(_as_json(connection, result) if options["json"] else _as_text(connection, result))
        if not result.is_equal:
            raise CommandError(f"{connection.label}: the stored facts are not what the archived pages say.")


def _connection(wanted: str) -> Connection:
    try:
        # By id also one that was disconnected: its history can be proven like any other.
        found = Connection.objects.filter(pk=UUID(wanted))
    except ValueError:
        found = Connection.objects.filter(label=wanted, disconnected_at__isnull=True)
    if found.count() != 1:
        known = ", ".join(f"{each.label} ({each.pk})" for each in Connection.objects.all()[:10]) or "none yet"
        raise CommandError(f"--connection: {wanted!r} names {found.count()} connections. Known: {known}.")
    return found.get()


def _day(text: str | None) -> dt.date:
    try:
        return dt.date.fromisoformat(text) if text else dt.date.min
    except ValueError as error:
        raise CommandError(f"--from: {error}. Write days as YYYY-MM-DD.") from error


def _as_text(connection: Connection, result: Result) -> str:
    lines = [f"{connection.label}: {result.windows} windows, {_span(result)}"]
    for table, pair in result.totals.items():
        verdict = "equal" if pair.is_equal else "DIFFERENT"
        lines.append(f"  {table:12} {verdict:9} stored   {_told(pair.stored)}")
        if not pair.is_equal:
            lines.append(f"  {'':12} {'':9} replayed {_told(pair.replayed)}")
    for difference in result.differences[:_DAYS_SHOWN]:
        lines += _difference(difference)
    if len(result.differences) > _DAYS_SHOWN:
        lines.append(f"… and {len(result.differences) - _DAYS_SHOWN} more; --json has all of them.")
    if result.schema:
        lines.append(f"Kept in the schema {result.schema}; DROP SCHEMA {result.schema} CASCADE removes it.")
    if result.is_equal:
        lines.append("Equal: the stored facts are what the archived pages say.")
    return "\n".join(lines)


def _span(result: Result) -> str:
    days = sorted(result.days["digests"])
    return f"{len(days)} days from {days[0]} to {days[-1]}" if days else "no day stored yet"


def _told(found: TableChecksum) -> str:
    return f"{found.rows:,} rows, {usd_text(found.amount_usd)} USD, sha256 {found.checksum[:16]}"


def _difference(difference: Difference) -> list[str]:
    lines = [
        f"{difference.day} {difference.table}:",
        f"  stored   {_told(difference.pair.stored)}",
        f"  replayed {_told(difference.pair.replayed)}",
    ]
    for row in difference.rows:
        amount = "" if row.amount_usd is None else f"{usd_text(row.amount_usd)} USD  "
        lines.append(f"    only {row.side:8} {amount}{row.name}  [{row.row_key}]")
    return lines


def _as_json(connection: Connection, result: Result) -> str:
    return json.dumps(
        {
            "connection": str(connection.pk),
            "label": connection.label,
            "equal": result.is_equal,
            "windows": result.windows,
            "schema": result.schema,
            "totals": {table: _pair(pair) for table, pair in result.totals.items()},
            "days": {str(day): _pair(pair) for day, pair in result.days["facts"].items()},
            "differences": [
                {"table": each.table, "day": str(each.day), **_pair(each.pair)}
                | {
                    "rows": [
                        {
                            "side": row.side,
                            "row_key": row.row_key,
                            "name": row.name,
                            "amount_usd": None if row.amount_usd is None else usd_text(row.amount_usd),
                        }
                        for row in each.rows
                    ]
                }
                for each in result.differences
            ],
        }
    )


def _pair(pair: Pair) -> dict[str, Any]:
    sides = {"stored": pair.stored, "replayed": pair.replayed}
    return {
        side: {"rows": found.rows, "amount_usd": usd_text(found.amount_usd), "sha256": found.checksum}
        for side, found in sides.items()
    }
