"""Which table a kind of record is stored in, and under which columns; the one description that ingest writes by."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from django.db.models import Model, QuerySet

from costs.changes import Stored
from costs.models import ActivityFact, CostFact, SupersededCost, UsageFact
from costs.records import CostRecord, Extra, Origin, Record
from costs.usage_records import ActivityRecord, UsageRecord


@dataclass(frozen=True, slots=True)
class FactTable:
    """
    A table of facts.

    Shape:   `record` is what its rows are; `key` are the dimensions of its rows, `values` what can change while the
             key stays; `history` is the table that keeps what was overwritten, None where nobody asks for it
    """

    record: Callable[..., Record]
    fact: type[Model]
    key: tuple[str, ...]
    values: tuple[str, ...]
    history: type[Model] | None = None

    @property
    def name(self) -> str:
        """The table in the database."""
        return str(self.fact._meta.db_table)

    @property
    def history_name(self) -> str | None:
        """The table of superseded rows."""
        return str(self.history._meta.db_table) if self.history else None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns but the surrogate key, in the order in which rows are copied."""
        return (
            "connection_id", "source", "day", "row_key", "origin", *self.key, "extra", *self.values, "observed_at",
        )  # fmt: skip

    def row(self, record: Record) -> tuple[Any, ...]:
        """Return the record's values for `key`, `extra` and `values`, ready to be copied."""
        return (
            *_read(self.key)(record),
            _json(record.extra),
            *map(_stored, _read(self.values)(record)),
        )

    def read(self, facts: "QuerySet[Any]") -> list[Stored]:
        """Return stored rows as the records they were."""
        fields = ("day", "source", *self.key, *self.values)
        return [
            Stored(
                bytes(row_key),
                self.record(
                    **dict(zip(fields, values, strict=True)), origin=Origin(origin), extra=read_extra(extra)
                ),
            )
            for row_key, origin, extra, *values in facts.values_list("row_key", "origin", "extra", *fields)
        ]


COSTS = FactTable(CostRecord, CostFact, CostRecord.KEY, ("amount_usd", "list_amount_usd"), SupersededCost)
USAGE = FactTable(
    UsageRecord,
    UsageFact,
    UsageRecord.KEY,
    (
        "uncached_input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_5m_tokens",
        "cache_write_1h_tokens", "web_search_requests", "requests", "other_counts",
    ),
)  # fmt: skip
ACTIVITY = FactTable(
    ActivityRecord,
    ActivityFact,
    ActivityRecord.KEY,
    (
        "sessions", "lines_added", "lines_removed", "commits", "pull_requests", "estimated_cost_usd",
        "tool_actions", "model_tokens",
    ),
)  # fmt: skip

TABLES: Mapping[str, FactTable] = {"cost": COSTS, "usage": USAGE, "activity": ACTIVITY}


def read_extra(stored: Mapping[str, Any]) -> Extra:
    """Return unknown fields as a record has them: several values are a tuple."""
    return {
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in stored.items()
    }


@cache
def _read(names: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    return attrgetter(*names)


def _stored(value: Any) -> Any:
    return _json(value) if isinstance(value, Mapping) else value


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(dict(fields), sort_keys=True) if fields else "{}"
