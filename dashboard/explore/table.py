"""The table of groups under the chart: sorted, with share, change and where each line leads; pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from costs.selectors import Key
from costs.variance import GroupDelta
from dashboard import figures
from dashboard.chart import MOST_GROUPS, split
from dashboard.figures import Change
from foundation.money import sum_usd

# The groups of the chart. More lines than anybody reads on a page are for a file, which has them all.
MOST_ROWS, ALL_ROWS, FILE_ROWS = MOST_GROUPS, 200, 10_000
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a group, or several together when `key` is None; a credit is no share of the charges."""

    key: Key | None
    labels: tuple[str, ...]
    amount: Decimal
    previous: Decimal | None
    share: Decimal | None
    slot: str = ""
    link: str = ""
    tokens: int | None = None
    is_unpriced: bool = False

    @property
    def per_million(self) -> Decimal | None:
        """What a million of its tokens cost on average; None where tokens are not known, or have no amount."""
        return figures.per_million(self.amount, self.tokens) if self.tokens and not self.is_unpriced else None

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
    """
    Lines that add up to the total; `rest` stands for the `hidden` groups after them.

    Shape:   `unpriced` are the tokens of groups without an amount, if there are any
    """

    heads: tuple[str, ...]
    rows: list[Row]
    rest: Row | None
    hidden: int
    total: Row
    unpriced: Row | None = None

    @property
    def has_tokens(self) -> bool:
        """True when usage knows the groups and is stored."""
        return self.total.tokens is not None

    @property
    def dearest(self) -> Row | None:
        """The group whose tokens cost most."""
        known = [row for row in self.rows if row.per_million is not None]
        return max(known, key=lambda row: row.per_million or Decimal(0), default=None)

    @property
    def lines(self) -> list[Row]:
        """All lines but the total, as they are shown."""
        return [*self.rows, *(row for row in (self.rest, self.unpriced) if row)]


@dataclass(frozen=True, slots=True)
class Layout:
    """
    How groups are shown: heads, labels, colours (none where there is no chart), and where each line leads.

    Shape:   `tokens` None: usage does not know these groups, or is not stored; `has_shares` False: the groups are stated on some of the
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


def rank(movements: Sequence[GroupDelta]) -> list[Key]:
    """Return the groups in the order in which chart and table name them: the largest first, charge or credit."""

    def size(each: GroupDelta) -> Decimal:
        return max(each.now_usd.copy_abs(), each.before_usd.copy_abs())

    return [each.key for each in sorted(movements, key=lambda each: (-size(each), str(each.key)))]


def build(movements: Sequence[GroupDelta], layout: Layout) -> Table:
    """
    Set up the table; the largest groups are kept whatever it is sorted by, the others become one line.

    Units:   USD, exact: the lines add up to the total
    """
    by_key = {each.key: each for each in movements}
    shown, hidden = split(rank(movements), layout.most)
    charges = sum_usd(_charges(movements))
    rows = [
        _row(layout, [by_key[key]], layout.label(key), charges, key=key) for key in shown
    ]  # fmt: skip
    rest = _row(layout, [by_key[key] for key in hidden], (f"Other ({len(hidden)})",), charges)
    whole = _row(layout, movements, ("Total",), charges)
    unpriced = None
    if layout.tokens is not None:
        tokens = sum(layout.tokens.values())
        whole = replace(whole, tokens=tokens)
        unpriced = _unpriced(layout, {key: n for key, n in layout.tokens.items() if n and key not in by_key})
    return Table(
        layout.heads, _sorted(rows, layout.sort), rest if hidden else None, len(hidden), whole, unpriced
    )


def _unpriced(layout: Layout, tokens: Mapping[Key, int]) -> Row | None:
    """Name the groups that used tokens and have no amount, the first of them by name."""
    if not tokens:
        return None
    largest = sorted(tokens, key=lambda key: (-tokens[key], str(key)))
    named = [" · ".join(layout.label(key)) for key in largest[:_MOST_NAMED]]
    more = [f"{len(largest) - len(named)} more"] if len(largest) > len(named) else []
    label = f"Tokens without an amount: {', '.join([*named, *more])}"
    row = _row(layout, [], (label,), Decimal(0))
    return replace(row, tokens=sum(tokens.values()), is_unpriced=True)


def _charges(movements: Sequence[GroupDelta]) -> Iterator[Decimal]:
    return (each.now_usd for each in movements if each.now_usd > 0)


def _row(
    layout: Layout,
    movements: Sequence[GroupDelta],
    labels: tuple[str, ...],
    charges: Decimal,
    *,
    key: Key | None = None,
) -> Row:
    """Return the line of some groups; of what is charged, a credit is no share."""
    amount = sum_usd(each.now_usd for each in movements)
    own = sum_usd(_charges(movements))
    slot = layout.slots.get(key, "other") if key is not None else "other"
    counts = layout.tokens
    return Row(
        key=key,
        labels=labels,
        amount=amount,
        previous=sum_usd(each.before_usd for each in movements) if layout.compare else None,
        share=figures.share(own, charges) if layout.has_shares and (own or not amount) else None,
        slot=slot if layout.slots else "",
        link=layout.link(key) if key is not None else "",
        tokens=None if counts is None else sum(counts.get(each.key, 0) for each in movements),
    )


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
