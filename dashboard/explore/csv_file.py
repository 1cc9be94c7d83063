"""The table and the chart of an explorer page as CSV: the same lines and order, with exact amounts; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from costs.coverage import Coverage
from costs.usage import COUNTS, others_of
from dashboard.chart import Chart
from dashboard.explore.table import Table
from dashboard.explore.usage import UsageReport
from dashboard.figures import Change, Unit
from foundation import csv_text
from foundation.csv_text import Number

_Line = Sequence[Any]
_UNITS: Mapping[Unit, str] = {"usd": "USD", "usd_per_million": "USD per million tokens", "tokens": "tokens"}
# Excel reads UTF-8 only with this mark in front.
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def of_table(table: Table, covered: Coverage) -> str:
    """
    Write the table: a line for each line shown, the rest and the total included.

    Shape:   every line has the state of the range; without a stored day there is no amount, which is not zero
    """
    heads = [*table.heads, "Cost (USD)", "Share (%)", "Previous (USD)", "Change (USD)", "Change (%)"]
    heads += ["Tokens", "USD per million tokens"] if table.has_tokens else []
    lines: list[_Line] = [[*heads, "State"]]
    for row in (*table.lines, table.total):
        tokens = [row.tokens or 0, row.per_million] if table.has_tokens else []
        labels = _filled(row.labels, len(table.heads))
        amount = row.amount if covered.is_stored else None
        share = None if row.share is None or not covered.is_stored else Number(str(row.share))
        lines.append([*labels, amount, share, *_change(row.change), *tokens, covered.state.value])
    return _written(lines)


def of_chart(chart: Chart) -> str:
    """Write the chart: a line for each bar, oldest first."""
    unit = _UNITS[chart.canvas.unit]
    heads = ["From (UTC)", "To (UTC)", "State", f"Total ({unit})", f"Previous ({unit})"]
    heads += [f"{series.label} ({unit})" for series in chart.series]
    lines: list[_Line] = [heads]
    for bucket, amounts in reversed(chart.rows):
        state = "missing" if bucket.is_missing else "provisional" if bucket.is_provisional else None
        shown = [bucket.total, bucket.previous, *amounts]
        if not bucket.is_stored:
            shown = [None, bucket.previous, *(None for _ in amounts)]
        lines.append([bucket.first, bucket.last, state, *shown])
    return _written(lines)


def of_usage(report: UsageReport) -> str:
    """Write the table of usage: a line for each line shown, the rest and the total included."""
    others = report.others
    lines: list[_Line] = [
        [
            *report.heads,
            *(name.replace("_", " ") for name in COUNTS),
            "previous total tokens",
            *others,
            "state",
        ]
    ]
    for line in (*report.lines, *([report.rest] if report.rest else []), report.total):
        labels = _filled(line.labels, len(report.heads))
        previous = line.previous["total_tokens"] if line.previous else None
        new = (others_of(line.counts).get(name, 0) for name in others)
        covered = report.caveats.coverage
        counts = [line.counts[name] if covered.is_stored else None for name in COUNTS]
        lines.append([*labels, *counts, previous, *new, covered.state.value])
    return _written(lines)


def _filled(labels: Sequence[str], width: int) -> list[str | None]:
    return [*labels, *([None] * (width - len(labels)))]


def _change(change: Change | None) -> _Line:
    if change is None:
        return None, None, None
    ratio = change.ratio
    percent = Number(f"{ratio:.1f}") if change.before > 0 and ratio.is_finite() else None
    return change.before, change.difference, percent


def _written(lines: Sequence[_Line]) -> str:
    return _MARK + csv_text.joined(csv_text.line(line) for line in lines)
