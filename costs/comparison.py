"""Whether the days before a range may be compared with it: a sum over days that are not stored misleads; reads only."""

import datetime as dt
from collections.abc import Collection
from uuid import UUID

from costs.freshness import DayState, all_begin_by, summarise_days
from costs.periods import DayRange, same_days_months_before
from costs.sources import Kind


def range_before(days: DayRange, compare: str = "previous") -> DayRange:
    """Return the range that one is compared with: `previous_month`, or the equally long one that ends where it starts."""
    if compare == "previous_month":
        return same_days_months_before(days)
    return DayRange(days.start - dt.timedelta(days=len(days)), days.start)


def earlier_state(
    account_id: UUID, days: DayRange, connections: Collection[str] = (), *, kind: Kind = "cost"
) -> DayState:
    """
    Return the worst state among the days of a range that another one is compared with.

    Shape:   `missing` also when a live connection (one of the given, when some are) has nothing to have on one
             of the days: what begins in the middle of a range makes its sum too small
    """
    known = summarise_days(account_id, days, connections, kind=kind)
    if len(known) < len(days) or any(day.is_missing for day in known):
        return DayState.MISSING
    if not all_begin_by(account_id, days.start, connections, kind=kind):
        return DayState.MISSING
    if any(day.is_provisional for day in known):
        return DayState.PROVISIONAL
    return DayState.REVISED if any(day.is_revised for day in known) else DayState.SETTLED
