"""Owns reading the counts of a usage row, nested ones included, so that none is lost and none is taken for a dimension."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integrations.anthropic import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costs.records import Scalar

_CACHE_WRITES = {
    "ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
}
_SERVER_TOOLS = {"web_search_requests": "web_search_requests"}
_NESTED = {"cache_creation": _CACHE_WRITES, "server_tool_use": _SERVER_TOOLS}
_FLAT = ("uncached_input_tokens", "output_tokens", "cache_read_input_tokens")
# The total is the sum of the five kinds of tokens, which are all read: it says nothing new.
_KNOWN = frozenset({*_FLAT, *_NESTED, "requests", "total_tokens"})


@dataclass(frozen=True, slots=True)
class Counts:
    """
    The counts of a row under the names of UsageRecord, and what else its row says.

    Shape:   `other` are counts that we do not know, by their upstream path ("server_tool_use.web_fetch_requests");
             `extra` is everything that is no count
    """

    known: Mapping[str, Any]
    other: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Scalar] = field(default_factory=dict)


def read_counts(row: wire.Row, not_counts: frozenset[str] = frozenset()) -> Counts:
    """
    Read the counts of a row; fields of `not_counts` are left to the caller.

    Shape:   `requests` None where the report has none
    Raises:  WireError: a count that is missing, negative or has a fraction, known or not
    """
    known: dict[str, Any] = {name: wire.get_count(row, name) for name in _FLAT}
    known["requests"] = wire.find_count(row, "requests")
    counts = Counts(known)
    for outer, fields in _NESTED.items():
        nested = wire.get_object(row, outer)
        known.update((ours, wire.get_count(nested, name)) for name, ours in fields.items())
        for name in nested.keys() - fields.keys():
            _keep(counts, f"{outer}.{name}", nested[name])
    for name in row.keys() - _KNOWN - not_counts:
        _keep(counts, name, row[name])
    return counts


def _keep(counts: Counts, name: str, value: Any) -> None:
    # A number in a row's identity would make every change of it another row: what counts goes with the counts.
    if wire.is_count(value):
        counts.other[name] = value
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        raise wire.WireError(f"{name} is not a whole number of zero or more")
    elif value is not None:
        counts.extra[name] = wire.scalar(value)
