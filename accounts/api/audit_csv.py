"""The audit log as CSV: a line for each event, in flat memory."""

import datetime as dt
from collections.abc import Generator
from typing import Any

from django.db.models import QuerySet

from accounts.actions import sentence
from accounts.models import AuditEvent
from config import csv_text

COLUMNS = (
    "at", "who", "person", "token", "action", "target", "target_id", "changes", "address", "request_id", "sentence",
)  # fmt: skip


def lines(events: QuerySet[AuditEvent]) -> Generator[bytes, None, None]:
    """Return the columns' names and a line for each event in the order of the query, as UTF-8 in chunks."""
    return csv_text.lines((_row(event) for event in events.iterator(chunk_size=500)), COLUMNS)


def _row(event: AuditEvent) -> dict[str, Any]:
    changes = "; ".join(f"{name}: {value}" for name, value in event.changes.items())
    values = (
        f"{event.at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}", event.actor, event.person_id, event.token_prefix or None,
        event.action, event.target, event.target_id or None, changes or None, event.address, event.request_id or None,
        sentence(event),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
