"""What a month will probably have cost at its end, from its days so far; pure, and named as the estimate it is."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from foundation.money import sum_usd

# An estimate, so it may be rounded; it never enters a total.
_ROUGH = Context(prec=50, rounding=ROUND_HALF_EVEN)
_CENT = Decimal("0.01")
_DAY = dt.timedelta(days=1)
# Four of each day of the week: most teams spend by their working week.
LOOK_BACK_DAYS = 28
_FEWEST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    The expected cost of a month.

    Units:   USD; `spent_usd` is the exact sum of the complete days so far, `expected_usd` is to the cent
    """

    month: dt.date
    spent_usd: Decimal
    expected_usd: Decimal
    days_left: int
    days_used: int


def forecast_month(daily: Mapping[dt.date, Decimal], today: dt.date) -> Forecast | None:
    """
    Add to the complete days of this month the usual cost of each day that is left, today included.

    Shape:   `daily` holds every stored day, without cost too; the usual cost of a day is the mean of the same
             days of the week among the last 28 complete ones. None when fewer than seven of them are stored
             or one of this month's own is not
    """
    month = today.replace(day=1)
    own = [month + _DAY * offset for offset in range((today - month).days)]
    recent = [day for ago in range(1, LOOK_BACK_DAYS + 1) if (day := today - _DAY * ago) in daily]
    if len(recent) < _FEWEST_DAYS or any(day not in daily for day in own):
        return None
    next_month = (month + _DAY * 31).replace(day=1)
    left = [today + _DAY * offset for offset in range((next_month - today).days)]
    spent = sum_usd(daily[day] for day in own)
    usual = {weekday: _usual(daily, recent, weekday) for weekday in range(7)}
    expected = sum_usd((spent, *(usual[day.weekday()] for day in left)))
    return Forecast(month, spent, expected.quantize(_CENT, context=_ROUGH), len(left), len(recent))


def _usual(daily: Mapping[dt.date, Decimal], recent: list[dt.date], weekday: int) -> Decimal:
    alike = [day for day in recent if day.weekday() == weekday]
    days = alike or recent
    return _ROUGH.divide(sum_usd(daily[day] for day in days), Decimal(len(days))).quantize(
        _CENT, context=_ROUGH
    )
