"""The audit log as CSV: a line for each event, in flat memory."""

import datetime as dt
from collections.abc import Generator
from typing import Any

from django.db.models import QuerySet

from accounts import audit
from accounts.actions import sentence
from accounts.models import AuditEvent
from accounts.permissions import Principal
from foundation import csv_text
from foundation.streaming import Export

COLUMNS = (
    "at", "who", "person", "token", "action", "target", "target_id", "changes", "address", "request_id", "sentence",
)  # fmt: skip
_EVENTS_A_TRIP = 500


def export(principal: Principal, events: QuerySet[AuditEvent]) -> Export:
    """
    Return the file of the events, in the order of the query.

    Effects: an event of its own, once there is a place for it to be sent; it is in the file where the query has it
    """
    account, actor = principal.account, principal.name

    def announce() -> None:
        audit.record(account, actor, "audit.exported", account.name)

    return Export("audit-events.csv", account.pk, lambda: _lines(events), announce)


def _lines(events: QuerySet[AuditEvent]) -> Generator[bytes, None, None]:
    return csv_text.lines((_row(event) for event in events.iterator(chunk_size=_EVENTS_A_TRIP)), COLUMNS)


def _row(event: AuditEvent) -> dict[str, Any]:
    changes = "; ".join(f"{name}: {value}" for name, value in event.changes.items())
    values = (
        f"{event.at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}", event.actor, event.person_id, event.token_prefix or None,
        event.action, event.target, event.target_id or None, changes or None, event.address, event.request_id or None,
        sentence(event),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
