"""Compare two reports that both tell the whole bill, day by day, and name what differs; reads only.

One of them is the connection's bill, the other runs in its shadow and is never added to it.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection as database

from costs import sources
from costs.models import DayDigest
from foundation.money import sum_usd
from foundation.periods import DayRange

# A day that differs is described by its largest differences.
_ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class DifferentRow:
    """What both reports know of a row, and what each says it cost; zero: it does not have the row."""

    dimensions: dict[str, str | None]
    bill_usd: Decimal
    other_usd: Decimal


@dataclass(frozen=True, slots=True)
class ComparedDay:
    """One day that at least one of the reports has; a missing side is None. `rows` only where both differ."""

    day: dt.date
    bill_usd: Decimal | None
    other_usd: Decimal | None
    rows: tuple[DifferentRow, ...] = ()

    @property
    def difference_usd(self) -> Decimal | None:
        """The other report less the bill; None when one of them does not have the day."""
        if self.bill_usd is None or self.other_usd is None:
            return None
        return sum_usd((self.other_usd, -self.bill_usd))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both reports over a range; `days_compared` counts the days that both have."""

    bill: str
    other: str
    days: Sequence[ComparedDay]

    @property
    def days_compared(self) -> int:
        """Days that both reports have."""
        return sum(day.difference_usd is not None for day in self.days)

    @property
    def days_different(self) -> list[ComparedDay]:
        """Days on which they do not agree to the last digit."""
        return [day for day in self.days if day.difference_usd]

    @property
    def difference_usd(self) -> Decimal:
        """The sum of the differences of all days that both have."""
        return sum_usd(day.difference_usd for day in self.days if day.difference_usd is not None)


def other_bill(cost_source: str) -> str | None:
    """Return the report of the same origin that tells the whole bill too; None when there is none."""
    mine = sources.SOURCES[cost_source]
    others = (
        each.name
        for each in sources.SOURCES.values()
        if each.is_bill and each.origin == mine.origin and each.name != cost_source
    )
    return next(others, None)


def compare(connection_id: UUID, bill: str, other: str, days: DayRange) -> Comparison:
    """
    Compare the two reports day by day.

    Units:   USD, exact
    """
    amounts: dict[dt.date, dict[str, Decimal | None]] = {}
    for digest in DayDigest.objects.filter(
        connection_id=connection_id, source__in=[bill, other], day__gte=days.start, day__lt=days.end
    ).order_by("day"):
        amounts.setdefault(digest.day, {})[digest.source] = digest.amount_usd
    different = [day for day, found in amounts.items() if len(found) > 1 and found[bill] != found[other]]
    rows = _rows(connection_id, bill, other, different) if different else {}
    return Comparison(
        bill,
        other,
        [
            ComparedDay(day, found.get(bill), found.get(other), tuple(rows.get(day, ())))
            for day, found in amounts.items()
        ],
    )


def _rows(
    connection_id: UUID, bill: str, other: str, days: Sequence[dt.date]
) -> dict[dt.date, list[DifferentRow]]:
    shared = sorted(sources.SOURCES[bill].dimensions & sources.SOURCES[other].dimensions)
    # Two reports may share no dimension: one of Enterprise's bills is a single sum a day.
    columns = ", ".join(["fact.day", *(_spelling(name) for name in shared)])
    places = ", ".join(str(n + 1) for n in range(len(shared) + 1))
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT * FROM (
                SELECT {columns},
                    coalesce(sum(fact.amount_usd) FILTER (WHERE fact.source = %(bill)s), 0) AS billed,
                    coalesce(sum(fact.amount_usd) FILTER (WHERE fact.source = %(other)s), 0) AS other
                FROM costs_costfact fact LEFT JOIN costs_resource workspace
                    ON workspace.connection_id = fact.connection_id AND workspace.kind = 'workspace'
                    AND workspace.is_default AND workspace.resource_id = fact.workspace_id
                WHERE fact.connection_id = %(connection)s AND fact.day = ANY(%(days)s)
                AND fact.source IN (%(bill)s, %(other)s)
                GROUP BY {places}
            ) compared WHERE billed <> other ORDER BY day, abs(other - billed) DESC
            """,  # noqa: S608 - names of columns are our own
            {"connection": connection_id, "bill": bill, "other": other, "days": list(days)},
        )
        found: dict[dt.date, list[DifferentRow]] = {}
        for day, *values in cursor.fetchall():
            rows = found.setdefault(day, [])
            if len(rows) < _ROWS_SHOWN:
                rows.append(_row(shared, values))
        return found


def _spelling(name: str) -> str:
    # The classic report writes the default workspace as null, the newer one by its id.
    if name == "workspace_id":
        return "CASE WHEN workspace.id IS NULL THEN fact.workspace_id END AS workspace_id"
    return f"fact.{name}"


def _row(shared: Sequence[str], values: Sequence[Any]) -> DifferentRow:
    *dimensions, billed, other = values
    return DifferentRow(dict(zip(shared, dimensions, strict=True)), billed, other)
