"""Changes a test makes to a day after the fact: restated, vanished and added rows; pure functions over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .costs import CostKey, CostRow
from .money import scale

_ADJUSTMENT = CostKey(None, "Usage Adjustment", "tokens")


class Edit(Protocol):
    """One change to a day's rows."""

    def apply(self, rows: tuple[CostRow, ...]) -> tuple[CostRow, ...]: ...


@dataclass(frozen=True, slots=True)
class Restated:
    """Every amount times a decimal factor."""

    factor: str

    def apply(self, rows: tuple[CostRow, ...]) -> tuple[CostRow, ...]:
        return tuple(CostRow(row.key, scale(row.units, self.factor)) for row in rows)


@dataclass(frozen=True, slots=True)
class Shifted:
    """A fixed amount more (or less) on the day's first row, or on a row of its own when the day has none."""

    units: int

    def apply(self, rows: tuple[CostRow, ...]) -> tuple[CostRow, ...]:
        if not rows:
            return (CostRow(_ADJUSTMENT, self.units),)
        return (CostRow(rows[0].key, rows[0].units + self.units), *rows[1:])


@dataclass(frozen=True, slots=True)
class Vanished:
    """One row, known by its key, is no longer reported."""

    key: CostKey

    def apply(self, rows: tuple[CostRow, ...]) -> tuple[CostRow, ...]:
        return tuple(row for row in rows if row.key != self.key)


@dataclass(frozen=True, slots=True)
class Added:
    """One more row; its key may repeat an existing one."""

    row: CostRow

    def apply(self, rows: tuple[CostRow, ...]) -> tuple[CostRow, ...]:
        return (*rows, self.row)
