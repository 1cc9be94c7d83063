"""Owns what each report says: its dimensions, whether it is the whole bill, and which one answers a question best; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from costs.records import Origin

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Kind = Literal["cost", "usage"]

_CONSOLE_WHO = frozenset({"actor_type", "actor_id", "api_key_id", "workspace_id", "model", "service_tier"})
_SERVING = frozenset({"product", "model", "context_window", "inference_geo", "speed"})
_ENTERPRISE_WHO = frozenset({"actor_type", "actor_id", "product", "model", "context_window", "inference_geo"})
_MEMBER_PRODUCTS = frozenset({"actor_type", "actor_id", "product", "model"})
_PARTS = frozenset({"cost_type", "token_type"})
_BILLED = (
    frozenset({"workspace_id", "model", "service_tier", "context_window", "inference_geo", "description"})
    | _PARTS
)

# Shares of a billed amount among keys and people, for days on which upstream does not state them; see `attribution`.
ALLOCATED = "allocated"


@dataclass(frozen=True, slots=True)
class Source:
    """
    One report as stored: several may tell the same money or tokens, and are never added together.

    Shape:   `dimensions` are the columns its rows fill; elsewhere null means "this report does not say";
             `is_bill`: a day of it is everything the organisation is billed for in its family
    """

    name: str
    origin: Origin
    kind: Kind
    dimensions: frozenset[str]
    is_bill: bool = False


def _console(name: str, kind: Kind, dimensions: frozenset[str], *, is_bill: bool = False) -> Source:
    return Source(name, Origin.CLAUDE_PLATFORM, kind, dimensions, is_bill)


def _enterprise(name: str, kind: Kind, dimensions: frozenset[str], *, is_bill: bool = False) -> Source:
    return Source(name, Origin.CLAUDE_AI, kind, dimensions, is_bill)


# In order of preference among those that answer a question equally well.
SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _console("cost_report", "cost", _BILLED, is_bill=True),
        _console("analytics_cost", "cost", _CONSOLE_WHO | _PARTS, is_bill=True),
        _console(ALLOCATED, "cost", _BILLED | _CONSOLE_WHO | {"attribution"}),
        _console("analytics_cost_serving", "cost", _SERVING | _PARTS),
        _enterprise("enterprise_cost", "cost", _ENTERPRISE_WHO | _PARTS, is_bill=True),
        _enterprise("enterprise_cost_speed", "cost", _SERVING | _PARTS),
        _enterprise("enterprise_cost_report", "cost", frozenset(), is_bill=True),
        _enterprise("enterprise_cost_by_product", "cost", frozenset({"product", "model"})),
        _enterprise("enterprise_user_cost_report", "cost", _MEMBER_PRODUCTS),
        _console("analytics_usage", "usage", _CONSOLE_WHO),
        _console("analytics_usage_serving", "usage", _SERVING),
        _console("usage_report", "usage", _CONSOLE_WHO),
        _enterprise("enterprise_usage", "usage", _ENTERPRISE_WHO),
        _enterprise("enterprise_usage_speed", "usage", _SERVING),
        _enterprise("enterprise_usage_report", "usage", frozenset({"product", "model"})),
        _enterprise("enterprise_user_usage_report", "usage", _MEMBER_PRODUCTS),
    )
}
BILLS = [source.name for source in SOURCES.values() if source.is_bill]
# Every dimension some report can fill; a connection's own columns are known for all of them.
DIMENSIONS = frozenset().union(*(source.dimensions for source in SOURCES.values()))


def lacking(dimension: str) -> list[str]:
    """Return the reports that do not state a dimension: their null says nothing about it."""
    return [source.name for source in SOURCES.values() if dimension not in source.dimensions]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sources of one kind with how well each answers a question: higher is better, equal means equally well."""

    names: list[str]
    scores: list[int]


def rank(kind: Kind, *, filters: Collection[str] = (), group_by: Sequence[str] = ()) -> Ranking:
    """
    Rank the sources by how much of a question they can answer.

    What is filtered by must be known, or rows would be lost without a word; what is grouped by should be, the
    earlier the more.
    """
    wanted_filters = DIMENSIONS.intersection(filters)
    groups = [name for name in dict.fromkeys(group_by) if name in DIMENSIONS]
    sources = [source for source in SOURCES.values() if source.kind == kind]
    scores = [
        2 ** (len(groups) + 1) * len(wanted_filters & source.dimensions)
        + sum(2 ** (len(groups) - n) for n, name in enumerate(groups) if name in source.dimensions)
        for source in sources
    ]
    return Ranking([source.name for source in sources], scores)


def told_apart(origins: Collection[Origin], kind: Kind, dimensions: Collection[str]) -> bool:
    """
    Say whether some report has all of these dimensions together that any report of the origins has.

    Shares state more than upstream does, but only of days that need them: they count when asked for by name.
    """
    mine = [
        source
        for source in SOURCES.values()
        if source.origin in origins
        and source.kind == kind
        and (source.name != ALLOCATED or "attribution" in dimensions)
    ]
    known = frozenset().union(*(source.dimensions for source in mine))
    asked = known.intersection(dimensions)
    return any(asked <= source.dimensions for source in mine)


def not_reported(used: Collection[str], group_by: Collection[str]) -> dict[str, list[str]]:
    """Return for each dimension grouped by which of the sources used do not state it; nothing when all do."""
    lacking = {
        name: [source for source in used if name not in SOURCES[source].dimensions]
        for name in group_by
        if name in DIMENSIONS
    }
    return {name: found for name, found in lacking.items() if found}
