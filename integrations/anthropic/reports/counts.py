"""Owns reading the counts of a usage row, nested ones included, so that none is lost and none is taken for a dimension."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from integrations.anthropic import wire
from integrations.anthropic.reports.fields import note, read_count, read_object

if TYPE_CHECKING:
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
             `extra` is everything that is no count, also what stands where a count should
    """

    known: dict[str, Any]
    other: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Scalar] = field(default_factory=dict)


def read_counts(row: wire.Row, not_counts: frozenset[str] = frozenset()) -> Counts:
    """
    Read the counts of a row; fields of `not_counts` are left to the caller.

    Shape:   `requests` None where the report has none; a count that cannot be read is zero and stands in `extra` as it
             came, so that one odd field withholds no day
    Raises:  WireError: none of its counts of tokens can be read, so that it is no row of usage
    """
    if all(wire.as_count(row.get(name)) is None for name in _FLAT):
        raise wire.WireError(f"none of {', '.join(_FLAT)} can be read")
    counts = Counts({})
    known = counts.known
    known.update((name, read_count(row, name, counts.extra)) for name in _FLAT)
    known["requests"] = None if row.get("requests") is None else _requests(row, counts)
    for outer, fields in _NESTED.items():
        nested = read_object(row, outer, counts.extra)
        known.update(
            (ours, read_count(nested, name, counts.extra, f"{outer}.{name}") if nested else 0)
            for name, ours in fields.items()
        )
        for name in nested.keys() - fields.keys():
            _keep(counts, f"{outer}.{name}", nested[name])
    for name in row.keys() - _KNOWN - not_counts:
        _keep(counts, name, row[name])
    return counts


def _requests(row: wire.Row, counts: Counts) -> int | None:
    found = wire.as_count(row["requests"])
    if found is None:
        note(counts.extra, "requests", row["requests"])
    return found


def _keep(counts: Counts, name: str, value: Any) -> None:
    # A number in a row's identity would make every change of it another row: what counts goes with the counts.
    if isinstance(value, dict):
        for inner, each in value.items():
            _keep(counts, f"{name}.{inner}", each)
    elif not isinstance(value, str) and (found := wire.as_count(value)) is not None:
        counts.other[name] = found
    elif value is not None:
        counts.extra[name] = wire.scalar(value)
