"""What stands between a sum and Anthropic's number: days that are missing, may change, or changed; reads only."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Max, Sum

from costs.coverage import Coverage, Gap, Scope, narrowing
from costs.restated import of_the_bill
from foundation.money import sum_usd

_COLUMNS = {
    "connection": "connection_id",
    "origin": "connection__origin",
    "cost_center": "connection__cost_center",
}


@dataclass(frozen=True, slots=True)
class RestatedDay:
    """One day whose stored figure changed after the day had ended; `difference_usd` is what all changes add up to."""

    day: dt.date
    connections: int
    times: int
    difference_usd: Decimal
    last_observed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Caveats:
    """The days of a range by what is to be said about them, oldest first; a day may be in several lists."""

    coverage: Coverage
    restated: tuple[RestatedDay, ...]

    @property
    def missing(self) -> tuple[dt.date, ...]:
        """The days that a connection lacks."""
        return self.coverage.missing_days

    @property
    def gaps(self) -> Sequence[Gap]:
        """The same by reason."""
        return self.coverage.missing

    @property
    def provisional(self) -> tuple[dt.date, ...]:
        """The days that may still change."""
        return self.coverage.provisional_days

    @property
    def is_stored(self) -> bool:
        """True when at least one day is stored: without one there is no figure."""
        return self.coverage.is_stored

    @property
    def restated_usd(self) -> Decimal:
        """What all restatements of the range add up to."""
        return sum_usd(day.difference_usd for day in self.restated)


def list_caveats(covered: Coverage) -> Caveats:
    """
    Return what has to be said about the days of a coverage.

    Shape:   restated are only dollars, so never days of `usage`
    Effects: one query
    """
    scope = covered.scope
    restated = _restated(scope) if scope.kind == "cost" else ()
    return Caveats(covered, restated)


def _restated(scope: Scope) -> tuple[RestatedDay, ...]:
    days = scope.days
    changes = of_the_bill(scope.account_id).filter(
        day__gte=days.start, day__lt=days.end, was_provisional=False
    )
    for name, values in narrowing(scope.filters).items():
        if values is not None:
            changes = changes.filter(**{f"{_COLUMNS[name]}__in": values})
    # Each change starts where the one before it ended, so the differences of a day add up to one.
    grouped = (
        changes.order_by("day")
        .values("day")
        .annotate(
            connections=Count("connection", distinct=True),
            times=Count("pk"),
            before=Sum("before_usd"),
            after=Sum("after_usd"),
            last=Max("observed_at"),
        )
    )
    return tuple(
        RestatedDay(
            row["day"], row["connections"], row["times"],
            sum_usd((row["after"], row["before"].copy_negate())), row["last"],
        )
        for row in grouped
    )  # fmt: skip
