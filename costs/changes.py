"""Owns what a changed day is: other money or other counts, or the same told in other words; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from costs import sources
from costs.records import CostRecord, stated_extra
from costs.usage_records import ActivityRecord, UsageRecord
from foundation.money import sum_usd

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from costs.records import Record

# Where null is somebody: the default workspace, the Playground, nobody. Everywhere else it is a word that is missing.
_WHOSE = frozenset({"workspace_id", "api_key_id", "actor_type", "actor_id"})
_Place = tuple[str | None, ...]
_Sums = dict[tuple[_Place, str], Decimal]


class Change(Enum):
    """How a day differs from what is stored."""

    NONE = "none"
    WORDS = "words"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as it is stored: its record, and its key as the version that wrote it worked it out."""

    row_key: bytes
    record: Record


def is_same(before: Sequence[Stored], after: Mapping[bytes, Record]) -> bool:
    """Say whether nothing has to be written: every row under its key, with its values and its unknown fields."""
    return len(before) == len(after) and all(
        (found := after.get(stored.row_key)) is not None
        and found.value_texts() == stored.record.value_texts()
        and stated_extra(found) == stated_extra(stored.record)
        for stored in before
    )


def tell(before: Sequence[Record], after: Sequence[Record]) -> Change:
    """
    Tell a change of money or counts from one of words.

    Shape:   both are rows of one day and report. What only one side states, a new field or a new count, is not
             compared: it says more about the same money. A row of zeros is no row
    """
    if not before or not after:
        counted = _sums(before or after, (), None)
        return Change.MONEY if any(counted.values()) else Change.WORDS
    columns = [name for name in before[0].KEY if _is_compared(name, before, after)]
    values = _stated_values(before) & _stated_values(after)
    return Change.WORDS if _sums(before, columns, values) == _sums(after, columns, values) else Change.MONEY


def _is_compared(name: str, before: Sequence[Record], after: Sequence[Record]) -> bool:
    source = sources.SOURCES.get(before[0].source)
    if name in _WHOSE and (source is None or name in source.dimensions):
        return True
    return all(any(getattr(row, name) is not None for row in side) for side in (before, after))


def _stated_values(records: Sequence[Record]) -> set[str]:
    return {name for record in records for name in _values(record)}


def _sums(records: Sequence[Record], columns: Sequence[str], values: Collection[str] | None) -> _Sums:
    """Sum the values by place, without the zeros; None: all values."""
    parts: dict[tuple[_Place, str], list[Decimal]] = defaultdict(list)
    for record in records:
        place = tuple(getattr(record, name) for name in columns)
        for name, value in _values(record).items():
            if values is None or name in values:
                parts[place, name].append(value)
    return {key: total for key, amounts in parts.items() if (total := sum_usd(amounts))}


def _values(record: Record) -> dict[str, Decimal]:
    """Return the values that the record states, by name."""
    if isinstance(record, CostRecord):
        listed = {} if record.list_amount_usd is None else {"list_amount_usd": record.list_amount_usd}
        return {"amount_usd": record.amount_usd, **listed}
    counts: dict[str, int] = {}
    amounts: dict[str, Decimal] = {}
    if isinstance(record, UsageRecord):
        counts = {**record.known_counts, **_under("other_counts", record.other_counts)}
    if isinstance(record, ActivityRecord):
        counts = {
            **record.known_counts,
            **_under("tool_actions", record.tool_actions),
            **_under("model_tokens", record.model_tokens),
        }
        amounts = {"estimated_cost_usd": record.estimated_cost_usd}
    return {**amounts, **{name: Decimal(count) for name, count in counts.items()}}


def _under(name: str, counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}.{each}": count for each, count in counts.items()}
