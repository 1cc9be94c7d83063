"""How numbers, moments and changes are written for people; pure, and never the source of a number."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

from foundation.money import sum_usd

# Only what is shown is rounded; exact values travel beside it as text.
_SHOWN = Context(prec=200, rounding=ROUND_HALF_EVEN)
_CENT = Decimal("0.01")
_TENTH = Decimal("0.1")
_MINUS = "\N{MINUS SIGN}"
_NO_BREAK = "\N{NO-BREAK SPACE}"
_TO = "\N{EN DASH}"
_MOST_PERCENT = 1000
_MOST_RUNS = 8
ONE_DAY = dt.timedelta(days=1)


def cents(amount: Decimal) -> Decimal:
    """Round an amount in USD to cents, for showing only."""
    return amount.quantize(_CENT, context=_SHOWN)


def dollars(amount: Decimal) -> str:
    """Write an amount in USD for reading, as `$1,234.57`, with a minus sign where it is a credit; `<$0.01` keeps a trace of what rounds away."""
    rounded = cents(amount)
    sign = _MINUS if amount < 0 else ""
    if amount and not rounded:
        return f"{sign}<$0.01" if not sign else f">{sign}$0.01"
    # copy_abs, not abs(): the latter rounds to the ambient precision.
    return f"{sign}${rounded.copy_abs():,.2f}"


_STEPS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
Unit = Literal["usd", "tokens", "usd_per_million"]


def count(value: int) -> str:
    """Write a count in full, with separators."""
    return f"{value:,}"


def compact(value: int) -> str:
    """Write a count with three digits that matter: `12.3 M`; small ones in full."""
    for step, letter in _STEPS:
        if abs(value) >= step:
            scaled = _SHOWN.divide(Decimal(value), Decimal(step))
            places = max(0, 2 - scaled.adjusted())
            return f"{scaled.quantize(Decimal(1).scaleb(-places), context=_SHOWN)}{_NO_BREAK}{letter}"
    return str(value)


def measure(amount: Decimal | None, unit: Unit) -> str:
    """Write an amount of a chart in its unit; a dash where there is none."""
    if amount is None:
        return _TO
    if unit == "usd_per_million":
        return rate(amount)
    return compact(int(amount)) if unit == "tokens" else dollars(amount)


def rate(amount: Decimal) -> str:
    """Write dollars per million tokens: to the cent, and below a dollar with every digit they are stated in."""
    if amount.copy_abs() >= 1 or not amount:
        return dollars(amount)
    sign = _MINUS if amount < 0 else ""
    return f"{sign}${amount.copy_abs():.4f}"


def per_million(amount: Decimal, tokens: int) -> Decimal | None:
    """Return what a million tokens cost on average in USD, to a hundredth of a cent; None without tokens."""
    if not tokens:
        return None
    return _SHOWN.divide(_SHOWN.multiply(amount, Decimal(10**6)), Decimal(tokens)).quantize(
        Decimal("0.0001"), context=_SHOWN
    )


def share(part: Decimal, whole: Decimal) -> Decimal:
    """Return which percentage of the whole a part is, with one decimal; zero of an empty whole."""
    return (_percentage(part, whole) if whole else Decimal(0)).quantize(_TENTH, context=_SHOWN)


def _percentage(part: Decimal, whole: Decimal) -> Decimal:
    return _SHOWN.divide(_SHOWN.multiply(part, Decimal(100)), whole)


def mean(total: Decimal, count: int) -> Decimal:
    """Return the average in USD to the cent; zero of nothing."""
    return cents(_SHOWN.divide(total, Decimal(count))) if count else Decimal(0)


@dataclass(frozen=True, slots=True)
class Change:
    """An amount against the one it is compared with, in words that do not rely on colour."""

    now: Decimal
    before: Decimal

    @property
    def difference(self) -> Decimal:
        """How much more it is; negative for less."""
        return sum_usd((self.now, self.before.copy_negate()))

    @property
    def word(self) -> str:
        """Say the direction: new, gone, up, down or unchanged."""
        if not self.difference:
            return "unchanged"
        if not self.before:
            return "new"
        if not self.now:
            return "gone"
        return "up" if self.difference > 0 else "down"

    @property
    def arrow(self) -> str:
        """Show the direction."""
        if not self.difference:
            return "="
        return "▲" if self.difference > 0 else "▼"

    @property
    def amount(self) -> str:
        """Write the difference without its sign; the word and the arrow carry it."""
        return dollars(self.difference.copy_abs())

    @property
    def ratio(self) -> Decimal:
        """The relative change in percent, for sorting: without end where there was nothing before."""
        if not self.difference:
            return Decimal(0)
        if not self.before:
            return Decimal("Infinity") if self.difference > 0 else Decimal("-Infinity")
        return _percentage(self.difference, self.before.copy_abs())

    @property
    def percent(self) -> str:
        """Write the relative change with its sign; empty where there is nothing to relate to."""
        if self.before <= 0 or not self.difference:
            return ""
        ratio = _percentage(self.difference, self.before).quantize(_TENTH, context=_SHOWN)
        if ratio > _MOST_PERCENT:
            return f">+{_MOST_PERCENT}{_NO_BREAK}%"
        return f"{'+' if ratio > 0 else _MINUS if ratio < 0 else ''}{abs(ratio)}{_NO_BREAK}%"


def day(value: dt.date) -> str:
    """Write a day: `20 Nov 2026`."""
    return f"{value.day}{_NO_BREAK}{value:%b}{_NO_BREAK}{value:%Y}"


def days(first: dt.date, last: dt.date) -> str:
    """Write an inclusive range of days, naming the year once where one is enough."""
    if first == last:
        return day(first)
    start = f"{first.day}{_NO_BREAK}{first:%b}" if first.year == last.year else day(first)
    return f"{start} {_TO} {day(last)}"


def day_list(given: Sequence[dt.date]) -> str:
    """Write ascending days as runs, the first eight of them, and how many days more there are."""
    runs: list[tuple[dt.date, dt.date]] = []
    for each in given:
        if runs and runs[-1][1] + ONE_DAY == each:
            runs[-1] = (runs[-1][0], each)
        else:
            runs.append((each, each))
    told = ", ".join(_run(first, last) for first, last in runs[:_MOST_RUNS])
    more = sum((last - first).days + 1 for first, last in runs[_MOST_RUNS:])
    return f"{told} and {more} more" if more else told


def _run(first: dt.date, last: dt.date) -> str:
    if first.replace(day=1) == last.replace(day=1) and first != last:
        return f"{first.day}{_NO_BREAK}{_TO}{_NO_BREAK}{day(last)}"
    return days(first, last)


def moment(value: dt.datetime, now: dt.datetime) -> str:
    """Write a moment in UTC: the time of today, the day and time of any other day."""
    value, now = value.astimezone(dt.UTC), now.astimezone(dt.UTC)
    clock = f"{value:%H:%M}{_NO_BREAK}UTC"
    return clock if value.date() == now.date() else f"{day(value.date())}, {clock}"


def duration(seconds: float) -> str:
    """Write how long something takes, in the one unit that matters."""
    if seconds < 90:  # noqa: PLR2004 - up to a minute and a half, seconds still say more
        return f"{max(1, round(seconds))}{_NO_BREAK}s"
    if seconds < 5400:  # noqa: PLR2004 - up to an hour and a half
        return f"{round(seconds / 60)}{_NO_BREAK}min"
    if seconds < 172_800:  # noqa: PLR2004 - up to two days
        return f"{round(seconds / 3600)}{_NO_BREAK}h"
    return f"{round(seconds / 86_400)}{_NO_BREAK}days"
