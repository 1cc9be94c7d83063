"""The audit log as CSV: a line for each event, in flat memory, with nothing that a spreadsheet would run."""

import csv
import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from accounts.actions import sentence
from accounts.models import AuditEvent

COLUMNS = (
    "at", "who", "person", "token", "action", "target", "target_id", "changes", "address", "request_id", "sentence",
)  # fmt: skip
# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """What csv writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """Return the columns' names, then a line for each event in the order of the query."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for event in events.iterator(chunk_size=500):
        yield writer.writerow([_cell(value) for value in _values(event)])


def _values(event: AuditEvent) -> list[Any]:
    changes = "; ".join(f"{name}: {value}" for name, value in event.changes.items())
    return [
        f"{event.at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}", event.actor, event.person_id, event.token_prefix,
        event.action, event.target, event.target_id, changes, event.address, event.request_id, sentence(event),
    ]  # fmt: skip


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
