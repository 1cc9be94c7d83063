"""The lines of a table of costs: one per group with share and change, the rest added up; pure."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from costs.money import sum_usd
from dashboard import figures
from dashboard.figures import Change

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Line:
    """One group of a table; `slot` is its colour, empty where the chart has none for it."""

    label: str
    note: str
    amount: Decimal
    change: Change | None
    share: Decimal
    slot: str = ""

    @property
    def bar(self) -> Decimal:
        """The width of the share bar in percent; a credit has none."""
        return max(Decimal(0), min(Decimal(100), self.share))


@dataclass(frozen=True, slots=True)
class Table:
    """Lines, largest first, that add up to the total; `rest` stands for the `hidden` groups after them."""

    lines: list[Line]
    rest: Line | None
    hidden: int
    total: Decimal
    change: Change | None


@dataclass(frozen=True, slots=True)
class Named:
    """How a group is shown."""

    label: str
    note: str = ""
    slot: str = ""


def table(
    now: Mapping[K, Decimal], before: Mapping[K, Decimal] | None, name: Callable[[K], Named], *, most: int
) -> Table:
    """
    Set up a table of at most `most` groups and one line for all others.

    Shape:   a group that was there before and is gone now is a line too; without `before` nothing is compared
    Units:   USD, exact: the lines and the rest add up to the total
    """
    total = sum_usd(now.values())
    keys = sorted({**now, **(before or {})}, key=lambda key: (-now.get(key, Decimal(0)), name(key).label))
    shown, hidden = (keys, []) if len(keys) <= most else (keys[: most - 1], keys[most - 1 :])

    def line(named: Named, group: Iterable[K]) -> Line:
        group = list(group)
        amount = sum_usd(now.get(key, Decimal(0)) for key in group)
        earlier = None if before is None else sum_usd(before.get(key, Decimal(0)) for key in group)
        change = None if earlier is None else Change(amount, earlier)
        return Line(named.label, named.note, amount, change, figures.share(amount, total), named.slot)

    return Table(
        lines=[line(name(key), [key]) for key in shown],
        rest=line(Named("Other"), hidden) if hidden else None,
        hidden=len(hidden),
        total=total,
        change=None if before is None else Change(total, sum_usd(before.values())),
    )
