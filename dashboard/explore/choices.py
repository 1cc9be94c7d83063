"""What the explorer's form offers: its selects, the chips of its filters, and the values a filter can take."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from django.urls import reverse

from costs import selectors
from dashboard import labels, ranges
from dashboard.entities import PATHS
from dashboard.explore.state import COMPARES, GRANULARITIES, METRICS, NONE, NULL, State
from dashboard.explore.table import Table
from dashboard.labels import Names
from foundation.periods import DayRange

# More than fits a list that is read; the search narrows it.
MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a select."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Select:
    """One select of the form."""

    name: str
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """One value of a filter, the address without it, and the page of the value, if it has one."""

    dimension: str
    label: str
    link: str
    page: str


@dataclass(frozen=True, slots=True)
class FilterValue:
    """One value that a dimension can be narrowed to, with what it cost in the range shown."""

    value: str
    label: str
    amount: Decimal
    is_chosen: bool


def selects(state: State) -> dict[str, Select]:
    """Return the selects by name."""
    first, second = [*state.group_by, NONE, NONE][:2]
    dimensions = [(NONE, "Nothing"), *labels.DIMENSIONS.items()]
    presets = [
        *((preset.key, preset.label) for preset in ranges.PRESETS.values()),
        (ranges.CUSTOM, "Custom …"),
    ]
    found = (
        _select("range", "Range", presets, state.range),
        _select("granularity", "Granularity", GRANULARITIES.items(), state.granularity),
        _select("group_by", "Group by", dimensions, first),
        _select("then_by", "Then by", dimensions, second),
        _select("metric", "Metric", METRICS.items(), state.metric),
        _select("compare", "Compare with", COMPARES.items(), state.compare),
    )
    return {each.name: each for each in found}


def _select(name: str, label: str, options: Iterable[tuple[str, str]], chosen: str) -> Select:
    return Select(name, label, tuple(Option(value, words, value == chosen) for value, words in options))


def entity_page(name: str, value: str | None) -> str:
    """Return the address of the page of a workspace, key, model or person; empty for anything else."""
    if name not in PATHS or (value and "/" in value):
        return ""
    return reverse(f"dashboard:entity_{PATHS[name]}", args=(NULL if value is None else value,))


def chips(state: State, names: Names) -> list[Chip]:
    """Return a chip for each value of each filter."""
    return [
        Chip(
            labels.dimension(name), names.label(name, value), state.without(name, value).address,
            entity_page(name, value),
        )
        for name, values in state.filters
        for value in values
    ]  # fmt: skip


def filter_values(
    account_id: UUID, state: State, days: DayRange, *, dimension: str, search: str
) -> list[FilterValue]:
    """
    List the values of a dimension inside the days and the other filters, the most expensive first.

    Shape:   what is chosen now is always among them, with or without cost
    """
    wide = replace(state, filters=tuple(each for each in state.filters if each[0] != dimension))
    sums = selectors.summarise(wide.query(account_id, days), group_by=(dimension,))
    amounts = {row.group[dimension]: row.amount_usd for row in sums.rows}
    chosen = state.values(dimension)
    names = labels.names(account_id, [dimension])
    found = [
        FilterValue(
            NULL if value is None or value == "" else value,
            names.label(dimension, value),
            amounts.get(value, Decimal(0)),
            value in chosen or (value == "" and None in chosen),
        )
        for value in {**amounts, **dict.fromkeys(chosen)}
    ]
    wanted = search.casefold()
    listed = [each for each in found if each.is_chosen or wanted in each.label.casefold()]
    return sorted(listed, key=lambda each: (not each.is_chosen, -each.amount, each.label))[:MOST_VALUES]


@dataclass(frozen=True, slots=True)
class Head:
    """One head of the table: where it leads and how the table is sorted by it now, if it is."""

    label: str
    link: str = ""
    order: str = ""
    css: str = "n wide-only"


def sort_heads(state: State, table: Table) -> list[Head]:
    """Return the heads of the table of groups; one that is used again turns the order around."""
    compare = table.total.previous is not None

    def head(name: str, label: str, css: str) -> Head:
        used = state.sort.removeprefix("-") == name
        falls = state.sort.startswith("-")
        # Names read best from A, amounts from the largest.
        sort = (name if falls else f"-{name}") if used else (name if name == "name" else f"-{name}")
        order = ("descending" if falls else "ascending") if used else ""
        return Head(label, f"{state.changed(sort=sort).address}#groups-title", order, css)

    found = [head("name", ", ".join(table.heads), ""), head("amount", "Cost", "n")]
    if compare:
        found += [
            head("previous", "Previous", "n desk-only"),
            head("change", "Change", "n wide-only"),
            head("percent", "%", "n wide-only"),
        ]
    if table.has_tokens:
        found += [head("tokens", "Tokens", "n desk-only"), head("per_million", "$ per M", "n desk-only")]
    return found
