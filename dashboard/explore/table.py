"""The table of groups under the chart: sorted, with share, change and where each line leads; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from costs.money import sum_usd
from costs.movers import Movement
from costs.selectors import Key
from dashboard import figures
from dashboard.figures import Change

# One more line than a page shows without scrolling would hide nothing worth hiding. More lines than anybody reads on a
# page are for a file, which has them all.
MOST_ROWS, ALL_ROWS, FILE_ROWS = 15, 200, 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a group, or several together when `key` is None."""

    key: Key | None
    labels: tuple[str, ...]
    amount: Decimal
    previous: Decimal | None
    share: Decimal | None
    slot: str = ""
    link: str = ""
    tokens: int | None = None

    @property
    def per_million(self) -> Decimal | None:
        """What a million of its tokens cost on average; None where tokens are not known."""
        return figures.per_million(self.amount, self.tokens) if self.tokens else None

    @property
    def change(self) -> Change | None:
        """The amount against the period before; None where nothing is compared."""
        return None if self.previous is None else Change(self.amount, self.previous)

    @property
    def bar(self) -> Decimal:
        """The width of the share bar in percent; a credit has none, nor has a share that is not stated."""
        return max(Decimal(0), min(Decimal(100), self.share or Decimal(0)))


@dataclass(frozen=True, slots=True)
class Table:
    """Lines that add up to the total; `rest` stands for the `hidden` groups after them."""

    heads: tuple[str, ...]
    rows: list[Row]
    rest: Row | None
    hidden: int
    total: Row

    @property
    def has_tokens(self) -> bool:
        """True when usage knows the groups."""
        return self.total.tokens is not None

    @property
    def lines(self) -> list[Row]:
        """All lines but the total, as they are shown."""
        return [*self.rows, *([self.rest] if self.rest else [])]


@dataclass(frozen=True, slots=True)
class Layout:
    """
    How groups are shown: heads, labels, colours (none where there is no chart), and where each line leads.

    Shape:   `tokens` None: usage does not know these groups; `has_shares` False: the groups are stated on some of the
             days only, so that a group is a part of something else than the total
    """

    heads: tuple[str, ...]
    label: Callable[[Key], tuple[str, ...]]
    slots: Mapping[Key, str]
    link: Callable[[Key], str]
    compare: bool
    sort: str
    most: int
    has_shares: bool = True
    tokens: Mapping[Key, int] | None = None


def build(movements: Sequence[Movement], layout: Layout) -> Table:
    """
    Set up the table; the largest groups are kept whatever it is sorted by, the others become one line.

    Units:   USD, exact: the lines add up to the total
    """
    total = sum_usd(each.now_usd for each in movements)
    before = sum_usd(each.before_usd for each in movements)
    ranked = sorted(movements, key=lambda each: (-max(each.now_usd, each.before_usd), str(each.key)))
    shown, hidden = (
        (ranked, []) if len(ranked) <= layout.most + 1 else (ranked[: layout.most], ranked[layout.most :])
    )
    rows = [
        Row(
            key=each.key,
            labels=layout.label(each.key),
            amount=each.now_usd,
            previous=each.before_usd if layout.compare else None,
            share=figures.share(each.now_usd, total) if layout.has_shares else None,
            slot=layout.slots.get(each.key, "other") if layout.slots else "",
            link=layout.link(each.key),
            tokens=_tokens(layout, [each]),
        )
        for each in shown
    ]
    rest = None
    if hidden:
        amount = sum_usd(each.now_usd for each in hidden)
        earlier = sum_usd(each.before_usd for each in hidden) if layout.compare else None
        slot = "other" if layout.slots else ""
        rest = Row(
            None,
            (f"Other ({len(hidden)})",),
            amount,
            earlier,
            figures.share(amount, total) if layout.has_shares else None,
            slot,
            tokens=_tokens(layout, hidden),
        )
    earlier = before if layout.compare else None
    whole = Row(None, ("Total",), total, earlier, figures.share(total, total), tokens=_tokens(layout, ranked))
    return Table(layout.heads, _sorted(rows, layout.sort), rest, len(hidden), whole)


def _tokens(layout: Layout, movements: Sequence[Movement]) -> int | None:
    if layout.tokens is None:
        return None
    return sum(layout.tokens.get(each.key, 0) for each in movements)


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    name = sort.removeprefix("-")
    ordered = sorted(rows, key=lambda row: tuple(label.casefold() for label in row.labels))
    if name == "name":
        return ordered[::-1] if sort.startswith("-") else ordered
    return sorted(ordered, key=lambda row: _measure(row, name), reverse=sort.startswith("-"))


def _measure(row: Row, name: str) -> Decimal:
    if name == "tokens":
        return Decimal(row.tokens or 0)
    if name == "per_million":
        return row.per_million or Decimal(0)
    if name == "amount" or row.previous is None:
        return row.amount
    change = Change(row.amount, row.previous)
    if name == "previous":
        return row.previous
    # What has no percentage because there was nothing before grew without bounds.
    return change.difference if name == "change" else change.ratio
