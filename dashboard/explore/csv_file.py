"""The table and the chart of an explorer page as CSV: the same lines and order, with exact amounts; pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from costs.money import usd_text
from costs.usage import COUNTS
from dashboard.chart import Chart
from dashboard.explore.table import Table
from dashboard.explore.usage import UsageReport
from dashboard.figures import Change

# A spreadsheet would run a text that begins like this as a formula; amounts are ours and stay numbers.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def of_table(table: Table) -> str:
    """Write the table: a line for each line shown, the rest and the total included."""
    heads = [*table.heads, "Cost (USD)", "Share (%)", "Previous (USD)", "Change (USD)", "Change (%)"]
    heads += ["Tokens", "USD per million tokens"] if table.has_tokens else []
    width = len(table.heads)
    lines: list[Sequence[str]] = []
    for row in (*table.lines, table.total):
        labels = [safe(label) for label in row.labels] + [""] * (width - len(row.labels))
        tokens = [str(row.tokens or 0), _text(row.per_million)] if table.has_tokens else []
        lines.append([*labels, usd_text(row.amount), str(row.share), *_change(row.change), *tokens])
    return _write(heads, lines)


def of_chart(chart: Chart) -> str:
    """Write the chart: a line for each bar, oldest first."""
    heads = ["From (UTC)", "To (UTC)", "State", "Total (USD)", "Previous (USD)"]
    heads += [f"{safe(series.label)} (USD)" for series in chart.series]
    lines = [
        [
            bucket.first.isoformat(),
            bucket.last.isoformat(),
            "provisional" if bucket.is_provisional else "",
            usd_text(bucket.total),
            _text(bucket.previous),
            *(usd_text(amount) for amount in amounts),
        ]
        for bucket, amounts in reversed(chart.rows)
    ]
    return _write(heads, lines)


def of_usage(report: UsageReport) -> str:
    """Write the table of usage: a line for each line shown, the rest and the total included."""
    heads = [*report.heads, *(name.replace("_", " ") for name in COUNTS), "previous total tokens"]
    width = len(report.heads)
    lines: list[Sequence[str]] = []
    for line in (*report.lines, *([report.rest] if report.rest else []), report.total):
        labels = [safe(label) for label in line.labels] + [""] * (width - len(line.labels))
        counts = [_count(line.counts[name]) for name in COUNTS]
        lines.append([*labels, *counts, _count(line.previous["total_tokens"] if line.previous else None)])
    return _write(heads, lines)


def _count(count: int | None) -> str:
    return "" if count is None else str(count)


def _change(change: Change | None) -> tuple[str, str, str]:
    if change is None:
        return "", "", ""
    ratio = change.ratio
    percent = f"{ratio:.1f}" if change.before > 0 and ratio.is_finite() else ""
    return usd_text(change.before), usd_text(change.difference), percent


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else usd_text(amount)


def _write(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    # Excel reads UTF-8 only with this mark in front.
    written.write("\N{ZERO WIDTH NO-BREAK SPACE}")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerows(lines)
    return written.getvalue()
