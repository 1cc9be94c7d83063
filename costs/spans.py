"""Cuts the days of a question into spans to read one after the other, so that a page of rows reads no more days than it needs.

A page is the first rows of a long order. The database would put all rows of all days in that order to give the first
hundred; how many rows each day has is known beforehand, and of most filters also which days have any.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Sum

from costs import selectors
from costs.models import DayDigest
from costs.rollups import COST_SUMS, USAGE_SUMS
from costs.selectors import CostQuery
from costs.sources import Kind
from foundation.periods import DayRange

# Of each span against the one before: a filter that few rows pass is through with a year in a handful of them.
_GROWTH = 8
# So many spans are tried before anything else is asked: most filters are passed by rows of every day.
_TRIES = 2
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a row, of which only some need be read where `only` names them."""

    days: DayRange
    only: Sequence[dt.date] | None = None


@dataclass(frozen=True, slots=True)
class Spans:
    """
    The spans of a question about costs or usage.

    Shape:   together they hold every day that has a row of the answer, each once
    """

    query: CostQuery
    kind: Kind
    dimensions: Sequence[str] = ()

    def walk(self, days: DayRange, rows: int, *, backwards: bool) -> Iterator[Span]:
        """Yield spans from one end of the days to the other, the first with so many rows, each further one with more."""
        counts = self._counts(days)
        for number, span in enumerate(_cut(days, counts, rows, backwards=backwards)):
            if (
                number == _TRIES
                and (found := self._days_that_pass(_rest(days, span.days, backwards=backwards))) is not None
            ):
                yield from _cut_days(found, counts, rows * _GROWTH**number, backwards=backwards)
                return
            yield span

    def _counts(self, days: DayRange) -> Mapping[dt.date, int]:
        """Count the rows of each day, those of all reports that may answer: more than there are of one of them."""
        reports = selectors.source_question(self.kind, self.query, self.dimensions).ranking.names
        digests = DayDigest.objects.filter(
            connection__account_id=self.query.account_id,
            source__in=reports,
            day__gte=days.start,
            day__lt=days.end,
        )
        return dict(digests.values_list("day").annotate(rows=Sum("row_count")).order_by())

    def _days_that_pass(self, days: DayRange) -> list[dt.date] | None:
        """Return the days on which a row passes the filters, in order; None where no sums of days know it."""
        sums = COST_SUMS if self.kind == "cost" else USAGE_SUMS
        grain = sums.find_grain(self.query.filters) if self.query.filters and not self.query.as_of else None
        if grain is None:
            return None
        rows: QuerySet[Any] = sums.table._default_manager.filter(  # noqa: SLF001 - the way to a manager of either model
            connection__account_id=self.query.account_id, grain=grain, day__gte=days.start, day__lt=days.end
        )
        passing = selectors.narrow(rows, self.query, selectors.DIMENSIONS)
        return sorted(passing.values_list("day", flat=True).distinct().order_by())


def _cut(days: DayRange, counts: Mapping[dt.date, int], rows: int, *, backwards: bool) -> Iterator[Span]:
    """Cut a range at days after which enough rows have come; no day is left out, whatever the counts say."""
    known, wanted, edge = 0, rows, days.end if backwards else days.start
    for day in sorted(counts, reverse=backwards):
        known += counts[day]
        if known >= wanted:
            end = day if backwards else day + _DAY
            yield Span(DayRange(min(edge, end), max(edge, end)))
            known, wanted, edge = 0, wanted * _GROWTH, end
    rest = DayRange(days.start, edge) if backwards else DayRange(edge, days.end)
    if rest:
        yield Span(rest)


def _cut_days(
    days: Sequence[dt.date], counts: Mapping[dt.date, int], rows: int, *, backwards: bool
) -> Iterator[Span]:
    """Cut single days likewise."""
    taken: list[dt.date] = []
    known = 0
    for day in reversed(days) if backwards else days:
        taken.append(day)
        known += counts.get(day, 0)
        if known >= rows:
            yield _span_of(taken)
            taken, known, rows = [], 0, rows * _GROWTH
    if taken:
        yield _span_of(taken)


def _span_of(days: Sequence[dt.date]) -> Span:
    return Span(DayRange(min(days), max(days) + _DAY), tuple(days))


def _rest(days: DayRange, next_one: DayRange, *, backwards: bool) -> DayRange:
    """Return what is left of the days, the next span included."""
    return DayRange(days.start, next_one.end) if backwards else DayRange(next_one.start, days.end)
