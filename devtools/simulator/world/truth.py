"""The sums everything else is checked against, straight from the world's rows; shares nothing with the report code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from .costs import DIMENSIONS
from .money import cents_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .costs import CostRow
    from .organisations import Organisation
    from .world import World

_MAX_DAYS = 4000


@dataclass(frozen=True, slots=True)
class Question:
    """Which truth is asked for: `first` inclusive, `last` exclusive."""

    organisation: Organisation
    first: date
    last: date
    group_by: tuple[str, ...] = ()
    with_rows: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.group_by) - {*DIMENSIONS, "day"}
        if unknown:
            raise ValueError(f"no such dimension: {sorted(unknown)}")
        if (self.last - self.first).days > _MAX_DAYS:
            raise ValueError(f"at most {_MAX_DAYS} days at once")

    def days(self) -> Iterator[date]:
        """Yield the days asked for."""
        return (self.first + timedelta(days=offset) for offset in range((self.last - self.first).days))


def tell_truth(world: World, question: Question) -> dict[str, Any]:
    """Return totals in USD as exact decimal strings: whole, per day, and per group or row when asked."""
    days: dict[str, str] = {}
    groups: Counter[tuple[str | None, ...]] = Counter()
    detail: list[dict[str, Any]] = []
    total, count = 0, 0
    for day in question.days():
        rows = world.rows(question.organisation, day)
        units = sum(row.units for row in rows)
        days[day.isoformat()] = usd_text(units)
        total, count = total + units, count + len(rows)
        if question.group_by:
            for row in rows:
                groups[tuple(_value(row, name, day) for name in question.group_by)] += row.units
        if question.with_rows:
            detail.extend(_describe(row, day) for row in rows)
    answer: dict[str, Any] = {
        "organisation": question.organisation.id,
        "total_usd": usd_text(total),
        "days": days,
        "rows": count,
    }
    if question.group_by:
        answer["groups"] = [
            dict(zip(question.group_by, values, strict=True)) | {"total_usd": usd_text(units)}
            for values, units in groups.items()
        ]
    if question.with_rows:
        answer["detail"] = detail
    return answer


def _value(row: CostRow, name: str, day: date) -> str | None:
    value: str | None = day.isoformat() if name == "day" else getattr(row.key, name)
    return value


def _describe(row: CostRow, day: date) -> dict[str, Any]:
    described: dict[str, Any] = {name: getattr(row.key, name) for name in DIMENSIONS}
    return described | {
        "day": day.isoformat(),
        "amount_usd": usd_text(row.units),
        "amount_cents": cents_text(row.units),
    }
