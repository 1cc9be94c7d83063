"""The data of the daily chart: eight series and the rest, with its states and its one sentence; draws nothing."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costs.money import sum_usd
from costs.periods import DayRange
from costs.selectors import Granularity, bucket_of
from dashboard import figures, palette

MOST_SERIES = 8
Amounts = Mapping[tuple[dt.date, str], Decimal]


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the stack: an amount in USD for each bucket."""

    label: str
    slot: str
    amounts: list[Decimal]


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar: its first and last day inside the chart, and whether upstream may still change it."""

    first: dt.date
    last: dt.date
    is_provisional: bool
    total: Decimal

    @property
    def label(self) -> str:
        """The days of the bar in words."""
        return figures.days(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars and the same as a table."""

    buckets: list[Bucket]
    series: list[Series]
    summary: str

    @property
    def document(self) -> dict[str, Any]:
        """The chart for the browser; amounts are decimal text in USD, rounded to cents for drawing."""
        return {
            "summary": self.summary,
            "labels": [bucket.label for bucket in self.buckets],
            "short": [f"{bucket.first.day} {bucket.first:%b}" for bucket in self.buckets],
            "provisional": [bucket.is_provisional for bucket in self.buckets],
            "totals": [str(figures.cents(bucket.total)) for bucket in self.buckets],
            "series": [
                {
                    "label": series.label,
                    "slot": series.slot,
                    "amounts": [str(figures.cents(amount)) for amount in series.amounts],
                }
                for series in self.series
            ],
        }

    @property
    def rows(self) -> list[tuple[Bucket, list[Decimal]]]:
        """The bars as rows of a table, newest first."""
        rows = [
            (bucket, [series.amounts[place] for series in self.series])
            for place, bucket in enumerate(self.buckets)
        ]
        return rows[::-1]


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is drawn: which days in which steps, and which of them are provisional."""

    days: DayRange
    granularity: Granularity
    provisional: Collection[dt.date]


def draw(amounts: Amounts, canvas: Canvas) -> Chart:
    """
    Arrange amounts by (day, series label) as a chart.

    Shape:   every bucket of the canvas, with or without cost; the eight largest series, then `Other`
    Units:   USD, exact: the amounts of all series add up to the amounts given
    """
    by_label: defaultdict[str, list[Decimal]] = defaultdict(list)
    for (_, label), amount in amounts.items():
        by_label[label].append(amount)
    ranked = sorted(by_label, key=lambda label: (-sum_usd(by_label[label]), label))
    named = ranked[:MOST_SERIES] if len(ranked) > MOST_SERIES + 1 else ranked
    slots = palette.colours(named)
    spans: dict[dt.date, list[dt.date]] = {}
    for day in canvas.days.days():
        spans.setdefault(bucket_of(day, canvas.granularity), []).append(day)
    cells: defaultdict[tuple[dt.date, str], list[Decimal]] = defaultdict(list)
    for (day, label), amount in amounts.items():
        cells[bucket_of(day, canvas.granularity), label if label in slots else ""].append(amount)
    labels = [*named, *([""] if len(named) < len(ranked) else [])]
    series = [
        Series(label or f"Other ({len(ranked) - len(named)})", slots.get(label, palette.OTHER),
               [sum_usd(cells[bucket, label]) for bucket in spans])
        for label in labels
    ]  # fmt: skip
    buckets = [
        Bucket(days[0], days[-1], any(day in canvas.provisional for day in days),
               sum_usd(one.amounts[place] for one in series))
        for place, days in enumerate(spans.values())
    ]  # fmt: skip
    return Chart(buckets, series, _summary(buckets, canvas, ranked[0] if ranked else ""))


def _summary(buckets: list[Bucket], canvas: Canvas, largest: str) -> str:
    unit = {"day": "Daily", "week": "Weekly", "month": "Monthly"}.get(canvas.granularity, "")
    span = figures.days(canvas.days.start, canvas.days.end - dt.timedelta(days=1))
    highest = max(buckets, key=lambda bucket: bucket.total, default=None)
    if highest is None or not highest.total:
        return f"{unit} cost by model, {span}: none."
    open_count = sum(bucket.is_provisional for bucket in buckets)
    open_words = f" {open_count} of {len(buckets)} bars are provisional." if open_count else ""
    return (
        f"{unit} cost by model, {span}: highest {figures.dollars(highest.total)} on {highest.label}; "
        f"{largest} is the largest.{open_words}"
    )
