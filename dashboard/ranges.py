"""The days a page shows and the days they are compared with; reads no clock and no request."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

from costs.comparison import range_before
from costs.selectors import Granularity
from foundation.periods import DayRange, add_months, is_whole_month, months_touched, same_days_months_before

_DAY = dt.timedelta(days=1)
DEFAULT = "30d"


@dataclass(frozen=True, slots=True)
class Period:
    """
    What one preset means today.

    Shape:   `days` are complete days: today runs until midnight, and half a day against a whole one would
             show a fall each morning. `previous` is as long, or the same days of the month, quarter or year before;
             of a whole month it is the month before, by whatever the month was chosen
    """

    key: str
    label: str
    days: DayRange
    previous: DayRange
    granularity: Granularity

    @property
    def last(self) -> dt.date:
        """The last day shown."""
        return self.days.end - _DAY

    def a_month_before(self) -> "Period":
        """Return the same days, compared with the same days of the month before."""
        return replace(self, previous=same_days_months_before(self.days))


@dataclass(frozen=True, slots=True)
class Preset:
    """One choice of the range bar."""

    key: str
    label: str
    _read: Callable[[dt.date], tuple[DayRange, DayRange]]
    granularity: Granularity = "day"

    def on(self, today: dt.date) -> Period:
        """Return what the preset means on a day."""
        days, previous = self._read(today)
        if is_whole_month(days):
            previous = same_days_months_before(days)
        return Period(self.key, self.label, days, previous, self.granularity)


def _last(count: int) -> Callable[[dt.date], tuple[DayRange, DayRange]]:
    length = dt.timedelta(days=count)
    return lambda today: (DayRange(today - length, today), DayRange(today - 2 * length, today - length))


def _month_to_date(today: dt.date) -> tuple[DayRange, DayRange]:
    """Return the month until yesterday and the same days of the month before (which may be shorter)."""
    first = today.replace(day=1)
    return _to_date(today, first, (first - _DAY).replace(day=1))


def _last_month(today: dt.date) -> tuple[DayRange, DayRange]:
    end = today.replace(day=1)
    first = (end - _DAY).replace(day=1)
    return DayRange(first, end), DayRange((first - _DAY).replace(day=1), first)


def _quarter_to_date(today: dt.date) -> tuple[DayRange, DayRange]:
    first = today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    return _to_date(today, first, add_months(first, -3))


def _year_to_date(today: dt.date) -> tuple[DayRange, DayRange]:
    return _to_date(today, dt.date(today.year, 1, 1), dt.date(today.year - 1, 1, 1))


def _to_date(today: dt.date, first: dt.date, before: dt.date) -> tuple[DayRange, DayRange]:
    """Return the days from the first until yesterday, and as many from the first of the period before."""
    # On the first day there is no complete one yet: show the one that runs.
    days = DayRange(first, max(today, first + _DAY))
    return days, DayRange(before, min(first, before + _DAY * len(days)))


PRESETS = {
    preset.key: preset
    for preset in (
        Preset("7d", "7 days", _last(7)),
        Preset("30d", "30 days", _last(30)),
        Preset("90d", "90 days", _last(90)),
        Preset("mtd", "Month to date", _month_to_date),
        Preset("last-month", "Last month", _last_month),
        Preset("qtd", "Quarter to date", _quarter_to_date),
        Preset("ytd", "Year to date", _year_to_date, "week"),
        Preset("12m", "12 months", _last(365), "week"),
    )
}
CUSTOM = "custom"
# Bars that can still be told apart on a desk: a quarter of days, a year and a half of weeks.
_MOST_DAYS_AS_DAYS, _MOST_DAYS_AS_WEEKS = 100, 550


def period(key: str | None, today: dt.date) -> Period:
    """Return the period of a preset; the default one for a name that does not exist."""
    return PRESETS.get(key or DEFAULT, PRESETS[DEFAULT]).on(today)


def custom(days: DayRange) -> Period:
    """Return a period of chosen days, compared as the preset of the same shape is."""
    return Period(CUSTOM, "Custom", days, _natural(days), fitting(days))


def _natural(days: DayRange) -> DayRange:
    """
    Return what chosen days are compared with.

    Shape:   whole months with as many before; from the first of a month, quarter or year until a day inside it, the
             same days of the one before; any other days with as many before
    """
    last = days.end - _DAY
    if days.start.day == 1 and (days.end.day == 1 or months_touched(days) == 1):
        return same_days_months_before(days)
    for months in (3, 12):
        first = days.start.replace(day=1, month=(days.start.month - 1) // months * months + 1)
        if days.start == first and last < add_months(first, months):
            return _to_date(days.end, first, add_months(first, -months))[1]
    return range_before(days)


def fitting(days: DayRange) -> Granularity:
    """Return the step in which a range has bars that can be told apart."""
    if len(days) <= _MOST_DAYS_AS_DAYS:
        return "day"
    return "week" if len(days) <= _MOST_DAYS_AS_WEEKS else "month"
