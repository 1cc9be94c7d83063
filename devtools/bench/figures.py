"""Figures of a benchmark: medians, ratios against goals, printed as a table or as JSON; measures nothing."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, its value and unit; with a goal it is met or missed."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def cells(self) -> tuple[str, ...]:
        """Give the printed cells."""
        goal = "" if self.goal is None else f"{'≥' if self.at_least else '≤'} {self.goal:g}"
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return (self.name, f"{plain(self.value)} {self.unit}".strip(), goal, verdict, self.note)


def plain(value: float) -> str:
    """Write a number with three digits that say something."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def median(values: Sequence[float]) -> float:
    """Give the median; 0 for nothing measured."""
    return statistics.median(values) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value that `share` of the values do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def timed(work: Callable[[], object]) -> float:
    """Give the seconds that a call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def print_table(title: str, figures: Sequence[Figure]) -> None:
    """Print figures in aligned columns."""
    rows = [("figure", "value", "goal", "", ""), *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    print(f"\n{title}")
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def to_json(machine: dict[str, str], sections: dict[str, Sequence[Figure]], **more: Any) -> str:
    """Write everything as one JSON document."""
    tables = {
        title: [{**asdict(figure), "met": figure.met} for figure in figures]
        for title, figures in sections.items()
    }
    return json.dumps({"machine": machine, "tables": tables, **more}, indent=1)
