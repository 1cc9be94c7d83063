"""Whether two ranges may be compared: sums over days that are not stored mislead, and so do groups; reads only."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from costs import source_precedence
from costs.coverage import Coverage, Scope, read_coverage
from costs.freshness import DayState
from costs.source_precedence import Offers, SourceQuestion
from foundation.periods import DayRange, same_days_months_before


@dataclass(frozen=True, slots=True)
class Comparability:
    """
    The days of the earlier range, and the dimensions whose report is not there for all days of both.

    Shape:   groups by such a dimension seem to appear and to vanish with the days that their report has
    """

    before: Coverage
    lacking: frozenset[str]

    @property
    def state(self) -> DayState:
        """The worst state among the days compared with; `missing`: nothing may be compared."""
        return DayState.MISSING if self.lacking else self.before.state

    @property
    def is_given(self) -> bool:
        """True when both ranges have what the comparison needs."""
        return self.state is not DayState.MISSING


def range_before(days: DayRange, compare: str = "previous") -> DayRange:
    """Return the range that one is compared with: `previous_month`, or the equally long one that ends where it starts."""
    if compare == "previous_month":
        return same_days_months_before(days)
    return DayRange(days.start - dt.timedelta(days=len(days)), days.start)


def read_comparability(scope: Scope, before: DayRange, group_by: Sequence[str] = ()) -> Comparability:
    """
    Say whether a scope may be compared with an earlier range, by groups.

    Effects: two queries at most
    """
    earlier = read_coverage(replace(scope, days=before))
    asks = not earlier.missing and bool({*scope.filters, *group_by})
    lacking = read_offers(scope, before).lacking(scope.filters, group_by) if asks else frozenset[str]()
    return Comparability(earlier, lacking)


def read_offers(scope: Scope, *also: DayRange) -> Offers:
    """Return which reports could answer for the days of a scope, and of other ranges beside it; one query."""
    ranges = [scope.days, *also]
    hull = DayRange(min(days.start for days in ranges), max(days.end for days in ranges))
    as_of = scope.as_of if scope.kind == "cost" else None
    return source_precedence.read_offers(
        SourceQuestion(scope.kind, scope.account_id, hull, scope.filters, as_of=as_of), ranges
    )
