"""The rows of an export: every stored fact of a query with its names and its state, one after the other; reads only."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from costs.api import lookups
from costs.coverage import Coverage
from costs.records import DIMENSIONS
from costs.usage import COUNTS
from costs.usage_records import TOKEN_COUNTS, USAGE_DIMENSIONS

# Column of a file → value: date, datetime, UUID, Decimal, int, text, or None.
Row = dict[str, Any]

# Rows that one trip to the database brings; about a megabyte.
_ROWS_A_TRIP = 2_000
_BESIDE = {"workspace_id": "workspace_name", "api_key_id": "api_key_name", "actor_id": "actor_name"}
_COST_CENTER = "connection__cost_center"


@dataclass(frozen=True, slots=True)
class Layout:
    """What is read from a table of facts, and the columns of a file, in their order: those of the list of rows."""

    dimensions: tuple[str, ...]
    values: tuple[str, ...]
    columns: tuple[str, ...]


def _with_names(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    pairs = [(name, _BESIDE[name]) if name in _BESIDE else (name,) for name in dimensions]
    return tuple(column for pair in pairs for column in pair)


_FRAME = ("day", "connection", "origin", "source")
_STORED_COUNTS = (*TOKEN_COUNTS, "web_search_requests", "requests", "other_counts")
_AMOUNTS = ("amount_usd", "list_amount_usd")
COSTS = Layout(
    DIMENSIONS,
    _AMOUNTS,
    (*_FRAME, *_with_names(DIMENSIONS), "cost_center", *_AMOUNTS, "state", "observed_at", "extra"),
)
USAGE = Layout(
    USAGE_DIMENSIONS,
    _STORED_COUNTS,
    (
        *_FRAME,
        *_with_names(USAGE_DIMENSIONS),
        *COUNTS,
        "cost_center",
        "state",
        "observed_at",
        "other_counts",
        "extra",
    ),
)


# A header has to stay short whatever the gaps: proxies refuse long ones.
_MOST_GAPS = 10


def state_headers(covered: Coverage) -> Mapping[str, str]:
    """Say beside a file what its rows cannot: which days it lacks. The gaps after the first ten are counted."""
    gaps = [f"{gap.days.start}/{gap.days.end};{gap.reason}" for gap in covered.missing[:_MOST_GAPS]]
    more = len(covered.missing) - len(gaps)
    found = {"Tallystick-State": covered.state.value}
    if gaps:
        found["Tallystick-Missing"] = ", ".join([*gaps, *([f"{more} more"] if more else [])])
    if covered.complete_through:
        found["Tallystick-Complete-Through"] = covered.complete_through.isoformat()
    return found


def state_texts(covered: Coverage) -> Mapping[str, str]:
    """Say the same inside of a file that has room for it, with every gap."""
    gaps = [
        {"from": str(gap.days.start), "to": str(gap.days.end), "reason": gap.reason.value}
        for gap in covered.missing
    ]
    through = covered.complete_through
    return {
        "tallystick.state": covered.state.value,
        "tallystick.missing": json.dumps(gaps),
        "tallystick.complete_through": through.isoformat() if through else "",
    }


def _text(fields: Any) -> str | None:
    """Write what has no column of its own as JSON, null where there is nothing."""
    return json.dumps(fields, sort_keys=True, ensure_ascii=False) if fields else None


def iter_rows(account_id: UUID, facts: QuerySet[Any], layout: Layout) -> Iterator[Row]:
    """
    Read the facts, ordered by day, through a cursor of the database; the caller holds the transaction.

    Shape:   0..n facts -> as many rows, in their order; memory does not grow with them
    """
    known, states = lookups.load(account_id), lookups.States(account_id)
    names = ("day", "connection_id", "origin", "source", *layout.dimensions, *layout.values, "extra")
    stored = facts.values_list(*names, "observed_at", _COST_CENTER)
    has_tokens = "output_tokens" in layout.values
    for values in stored.iterator(chunk_size=_ROWS_A_TRIP):
        row = dict(zip(names, values, strict=False))
        row["observed_at"], row["cost_center"] = values[-2], values[-1] or None
        connection_id = row["connection"] = row.pop("connection_id")
        row["workspace_id"], row["workspace_name"] = known.workspace(
            connection_id, row["source"], row["workspace_id"]
        )
        for dimension in ("api_key_id", "actor_id"):
            row[_BESIDE[dimension]] = known.name(dimension, connection_id, row[dimension])
        row["state"] = states.of(connection_id, row["source"], row["day"]).value
        row["extra"] = _text(row["extra"])
        if has_tokens:
            row["other_counts"] = _text(row["other_counts"])
            row["total_tokens"] = sum(row[name] for name in TOKEN_COUNTS)
        yield row
