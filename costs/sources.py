"""Owns what each report says: its dimensions, whether it is the whole bill, and which one answers a question best; pure."""

from __future__ import annotations

import datetime as dt
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

# The first day of Anthropic's analytics reports (official Python SDK 2.12.0, read 2026-11). The classic ones state none.
ANALYTICS_BEGINS = dt.date(2026, 1, 1)

# Shares of a billed amount among keys and people, for days on which upstream does not state them; see `attribution`.
ALLOCATED = "allocated"
# The report that names keys and people of the same money itself, and those by whose tokens it is shared without it.
NATIVE = "analytics_cost"
SHARED_BY = ("analytics_usage", "usage_report")


@dataclass(frozen=True, slots=True)
class Source:
    """
    One report as stored: several may tell the same money or tokens, and are never added together.

    Shape:   `dimensions` are the columns its rows fill; elsewhere null means "this report does not say";
             `is_bill`: a day of it is everything the organisation is billed for in its family; `begins`: no day before
             it can ever be read, None where upstream names no such day
    """

    name: str
    origin: Origin
    kind: Kind
    dimensions: frozenset[str]
    is_bill: bool = False
    begins: dt.date | None = None


def _console(name: str, kind: Kind, dimensions: frozenset[str], *, is_bill: bool = False) -> Source:
    begins = ANALYTICS_BEGINS if name.startswith("analytics_") else None
    return Source(name, Origin.CLAUDE_PLATFORM, kind, dimensions, is_bill, begins)


def _enterprise(name: str, kind: Kind, dimensions: frozenset[str], *, is_bill: bool = False) -> Source:
    return Source(name, Origin.CLAUDE_AI, kind, dimensions, is_bill, ANALYTICS_BEGINS)


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


def reported_together(origins: Collection[Origin], kind: Kind, dimensions: Collection[str]) -> bool:
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


@dataclass(frozen=True, slots=True)
class Stating:
    """The sources of one kind that state some dimensions together, and the reports whose days bring them."""

    sources: list[str]
    reports: list[str]


def stating(kind: Kind, dimensions: Collection[str]) -> Stating | None:
    """
    Return who states the dimensions; None when nothing else than the bill is needed.

    Shape:   None when every bill states them, or for usage every report; also where only shares do, which are kept
             of days that need them and of no others
    """
    asked = DIMENSIONS.intersection(dimensions) - {"attribution"}
    mine = [source for source in SOURCES.values() if source.kind == kind]
    if all(asked <= source.dimensions for source in mine if kind == "usage" or source.is_bill):
        return None
    found = [source.name for source in mine if asked <= source.dimensions]
    if found == [ALLOCATED]:
        return None
    shared = SHARED_BY if ALLOCATED in found else ()
    return Stating(found, [*(name for name in found if name != ALLOCATED), *shared])


def of_kind(kind: Kind) -> list[str]:
    """Return the names of the reports of a kind."""
    return [source.name for source in SOURCES.values() if source.kind == kind]


def not_reported(used: Collection[str], group_by: Collection[str]) -> dict[str, list[str]]:
    """Return for each dimension grouped by which of the sources used do not state it; nothing when all do."""
    lacking = {
        name: [source for source in used if name not in SOURCES[source].dimensions]
        for name in group_by
        if name in DIMENSIONS
    }
    return {name: found for name, found in lacking.items() if found}
