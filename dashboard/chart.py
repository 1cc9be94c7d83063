"""The data of a chart over time: twelve series and the rest, with its states and its one sentence; draws nothing."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate
from operator import or_
from typing import Any

from costs.selectors import Granularity, Key, bucket_of
from dashboard import figures, palette
from dashboard.figures import Unit
from foundation.money import sum_usd
from foundation.periods import DayRange

# As many as there are colours. Chart, legend and table name the same groups, and "Other" has the same number.
MOST_GROUPS = palette.SLOTS
Amounts = Mapping[tuple[dt.date, Key | None], Decimal]
_ZERO = Decimal(0)
_STEPS: Mapping[str, str] = {"day": "Daily", "week": "Weekly", "month": "Monthly"}


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the stack: an amount for each bucket, None where a rate has none; the rest of all groups has no key."""

    key: Key | None
    label: str
    slot: str
    amounts: list[Decimal | None]


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    One bar: its first and last day inside the chart, and whether upstream may still change it.

    Shape:   `is_missing`: one of the days it adds up lacks a connection; `is_stored` False: none of its own days is
             there, which is not zero
    """

    first: dt.date
    last: dt.date
    is_provisional: bool
    total: Decimal | None
    previous: Decimal | None = None
    is_missing: bool = False
    is_stored: bool = True

    @property
    def label(self) -> str:
        """The days of the bar in words."""
        return figures.days(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Canvas:
    """
    What is drawn: which days in which steps, which of them are provisional, and of what.

    Shape:   `missing` are days that a connection lacks, `stored` those that one has (None: all); `cumulative`: each bar
             holds what came since the first day; `stacked` False: lines beside each other, for what cannot be added
             up, with the whole given by bucket in `totals` and of all days in `whole`
    """

    days: DayRange
    granularity: Granularity
    provisional: Collection[dt.date]
    missing: Collection[dt.date] = ()
    stored: Collection[dt.date] | None = None
    subject: str = "cost by model"
    cumulative: bool = False
    unit: Unit = "usd"
    stacked: bool = True
    totals: Mapping[dt.date, Decimal] = field(default_factory=dict)
    whole: Decimal | None = None

    @property
    def title(self) -> str:
        """What the chart shows, in words."""
        return f"{'Cumulative' if self.cumulative else _STEPS.get(self.granularity, '')} {self.subject}"

    def spans(self) -> dict[dt.date, list[dt.date]]:
        """Return the days of each bar by its bucket, oldest first."""
        spans: dict[dt.date, list[dt.date]] = {}
        for day in self.days.days():
            spans.setdefault(bucket_of(day, self.granularity), []).append(day)
        return spans


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars and the same as a table."""

    canvas: Canvas
    buckets: list[Bucket]
    series: list[Series]
    summary: str

    def document(self, link: Callable[[Bucket], str] | None = None) -> dict[str, Any]:
        """Return the chart for the browser; amounts are decimal text, rounded for drawing."""

        def text(amount: Decimal | None) -> str | None:
            if amount is None:
                return None
            if self.canvas.unit == "usd":
                return str(figures.cents(amount))
            return str(int(amount)) if self.canvas.unit == "tokens" else str(amount)

        return {
            "summary": self.summary,
            "unit": self.canvas.unit,
            "stacked": self.canvas.stacked,
            "cumulative": self.canvas.cumulative,
            "labels": [bucket.label for bucket in self.buckets],
            "short": [f"{bucket.first.day} {bucket.first:%b}" for bucket in self.buckets],
            "provisional": [bucket.is_provisional for bucket in self.buckets],
            "missing": [bucket.is_missing for bucket in self.buckets],
            "stored": [bucket.is_stored for bucket in self.buckets],
            "totals": [text(bucket.total) if bucket.is_stored else None for bucket in self.buckets],
            "previous": [text(bucket.previous) for bucket in self.buckets],
            "links": [link(bucket) for bucket in self.buckets] if link else [],
            "series": [
                {
                    "label": series.label,
                    "slot": series.slot,
                    "amounts": [text(amount) for amount in series.amounts],
                }
                for series in self.series
            ],
        }

    @property
    def rows(self) -> list[tuple[Bucket, list[Decimal | None]]]:
        """The bars as rows of a table, newest first."""
        rows = [
            (bucket, [series.amounts[place] for series in self.series])
            for place, bucket in enumerate(self.buckets)
        ]
        return rows[::-1]

    @property
    def slots(self) -> dict[Key, str]:
        """The colour of each group that has one of its own."""
        return {series.key: series.slot for series in self.series if series.key is not None}

    @property
    def has_previous(self) -> bool:
        """True when an earlier range is drawn beside the bars."""
        return any(bucket.previous is not None for bucket in self.buckets)

    @property
    def has_hatching(self) -> bool:
        """True when bars that may still change are marked; lines and areas cannot be."""
        is_bars = self.canvas.stacked and not self.canvas.cumulative
        return is_bars and any(bucket.is_provisional for bucket in self.buckets)


def split(ranked: Sequence[Key], most: int = MOST_GROUPS) -> tuple[Sequence[Key], Sequence[Key]]:
    """Return the groups that are named, and those that are one line together."""
    return ranked[:most], ranked[most:]


def draw(
    amounts: Amounts,
    canvas: Canvas,
    name: Callable[[Key], str],
    previous: Mapping[dt.date, Decimal] | None = None,
    ranked: Sequence[Key] | None = None,
) -> Chart:
    """
    Arrange amounts by (day or first day of a bucket, group) as a chart.

    Shape:   every bucket of the canvas, with or without cost; the twelve first groups, then `Other`; `ranked` is the
             order of the table, otherwise they come by amount. `previous` are sums by day, moved onto the days of the
             canvas. What is not stacked has the rest under the group None
    Units:   USD, exact: the amounts of all series of a stack add up to the amounts given
    """
    ranked = _by_size(amounts, name) if ranked is None else ranked
    named, hidden = split(ranked)
    slots = palette.colours([palette.colour_key(key) for key in named])
    cells: defaultdict[tuple[dt.date, Key | None], list[Decimal]] = defaultdict(list)
    own = set(named)
    for (day, key), amount in amounts.items():
        cells[bucket_of(day, canvas.granularity), key if key in own else None].append(amount)
    spans = canvas.spans()

    def line(key: Key | None) -> list[Decimal | None]:
        if not canvas.stacked:
            return [next(iter(cells[bucket, key]), None) for bucket in spans]
        return [*_shown([sum_usd(cells[bucket, key]) for bucket in spans], canvas)]

    series = [Series(key, name(key), slots[palette.colour_key(key)], line(key)) for key in named]
    if hidden:
        series.append(Series(None, f"Other ({len(hidden)})", palette.OTHER, line(None)))
    buckets = _buckets(series, canvas, previous)
    return Chart(canvas, buckets, series, _summary(buckets, canvas, series))


def _by_size(amounts: Amounts, name: Callable[[Key], str]) -> Sequence[Key]:
    by_key: defaultdict[Key, list[Decimal]] = defaultdict(list)
    for (_, key), amount in amounts.items():
        if key is not None:
            by_key[key].append(amount)
    return sorted(by_key, key=lambda key: (-sum_usd(by_key[key]).copy_abs(), name(key)))


def _shown(amounts: list[Decimal], canvas: Canvas) -> list[Decimal]:
    return (
        list(accumulate(amounts, lambda so_far, next_one: sum_usd((so_far, next_one))))
        if canvas.cumulative
        else amounts
    )


def _buckets(
    series: list[Series], canvas: Canvas, previous: Mapping[dt.date, Decimal] | None
) -> list[Bucket]:
    spans = canvas.spans()
    earlier: list[Decimal] | None = None
    if previous is not None:
        moved: defaultdict[dt.date, list[Decimal]] = defaultdict(list)
        for day, amount in previous.items():
            moved[bucket_of(day, canvas.granularity)].append(amount)
        earlier = _shown([sum_usd(moved[bucket]) for bucket in spans], canvas)
    provisional, missing = (_marks(spans, days, canvas) for days in (canvas.provisional, canvas.missing))
    return [
        Bucket(
            days[0], days[-1], provisional[place],
            sum_usd(one.amounts[place] or _ZERO for one in series) if canvas.stacked else canvas.totals.get(bucket),
            earlier[place] if earlier else None,
            missing[place],
            canvas.stored is None or any(day in canvas.stored for day in days),
        )
        for place, (bucket, days) in enumerate(spans.items())
    ]  # fmt: skip


def _marks(
    spans: Mapping[dt.date, Sequence[dt.date]], marked: Collection[dt.date], canvas: Canvas
) -> list[bool]:
    """Say of each bar whether it holds one of some days; a cumulative one holds all days before it, too."""
    own = [any(day in marked for day in days) for days in spans.values()]
    return list(accumulate(own, or_)) if canvas.cumulative else own


def _summary(buckets: list[Bucket], canvas: Canvas, series: list[Series]) -> str:
    span = figures.days(canvas.days.start, canvas.days.end - dt.timedelta(days=1))
    if not any(bucket.is_stored for bucket in buckets):
        return f"{canvas.title}, {span}: nothing is stored."
    open_count = sum(bucket.is_provisional for bucket in buckets)
    open_words = f" {open_count} of {len(buckets)} bars are provisional." if open_count else ""
    lacking = sum(bucket.is_missing for bucket in buckets)
    lacking_words = f" {lacking} of {len(buckets)} bars lack days that are not stored." if lacking else ""
    told = _peak(buckets, canvas, series) if canvas.stacked else _dearest(buckets, canvas, series)
    if not told:
        return f"{canvas.title}, {span}: none.{lacking_words}"
    return f"{canvas.title}, {span}: {told}.{open_words}{lacking_words}"


def _peak(buckets: list[Bucket], canvas: Canvas, series: list[Series]) -> str:
    """Name the highest bar, and the largest group; of credits that outweigh the charges of each bar, the lowest one."""
    totals = {bucket.label: bucket.total or _ZERO for bucket in buckets}
    if not any(totals.values()):
        return ""
    highest = max(totals, key=lambda label: totals[label])
    word = "highest"
    if totals[highest] <= 0:
        word, highest = "lowest", min(totals, key=lambda label: totals[label])
    sizes = {
        one.label: sum_usd(amount or _ZERO for amount in one.amounts) for one in series if one.key is not None
    }
    largest = max(sizes, key=lambda label: sizes[label].copy_abs())
    if canvas.cumulative:
        return f"{figures.measure(buckets[-1].total, canvas.unit)} at the end; {largest} is the largest"
    return f"{word} {figures.measure(totals[highest], canvas.unit)} on {highest}; {largest} is the largest"


def _dearest(buckets: list[Bucket], canvas: Canvas, series: list[Series]) -> str:
    """Name the highest point of the lines, and what the days have as a whole."""
    points = [
        (amount, one.label, bucket.label)
        for one in series
        for amount, bucket in zip(one.amounts, buckets, strict=True)
        if amount is not None
    ]
    if not points or canvas.whole is None:
        return ""
    amount, label, days = max(points)
    whole, highest = (figures.measure(each, canvas.unit) for each in (canvas.whole, amount))
    return f"{whole} over all days, highest {highest} for {label} on {days}"
