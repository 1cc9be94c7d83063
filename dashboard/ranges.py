"""The days a page shows and the days they are compared with; reads no clock and no request."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from costs.periods import DayRange
from costs.selectors import Granularity

_DAY = dt.timedelta(days=1)
DEFAULT = "30d"


@dataclass(frozen=True, slots=True)
class Period:
    """
    What one preset means today.

    Shape:   `days` are complete days: today runs until midnight, and half a day against a whole one would
             show a fall each morning. `previous` is as long, or the same days of the month before
    """

    key: str
    label: str
    days: DayRange
    previous: DayRange
    granularity: Granularity
    reaches_today: bool

    @property
    def charted(self) -> DayRange:
        """The days of the chart: today is drawn too, marked as provisional and in no total."""
        return DayRange(self.days.start, self.days.end + _DAY) if self.reaches_today else self.days


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
        return Period(self.key, self.label, days, previous, self.granularity, reaches_today=days.end == today)


def _last(count: int) -> Callable[[dt.date], tuple[DayRange, DayRange]]:
    length = dt.timedelta(days=count)
    return lambda today: (DayRange(today - length, today), DayRange(today - 2 * length, today - length))


def _month_to_date(today: dt.date) -> tuple[DayRange, DayRange]:
    """Return the month until yesterday and the same days of the month before (which may be shorter)."""
    first = today.replace(day=1)
    before = (first - _DAY).replace(day=1)
    # On the first of a month there is no complete day yet: show the one that runs.
    days = DayRange(first, max(today, first + _DAY))
    return days, DayRange(before, min(first, before + _DAY * len(days)))


def _last_month(today: dt.date) -> tuple[DayRange, DayRange]:
    end = today.replace(day=1)
    first = (end - _DAY).replace(day=1)
    return DayRange(first, end), DayRange((first - _DAY).replace(day=1), first)


PRESETS = {
    preset.key: preset
    for preset in (
        Preset("7d", "7 days", _last(7)),
        Preset("30d", "30 days", _last(30)),
        Preset("90d", "90 days", _last(90)),
        Preset("mtd", "Month to date", _month_to_date),
        Preset("last-month", "Last month", _last_month),
        Preset("12m", "12 months", _last(365), "week"),
    )
}


def period(key: str | None, today: dt.date) -> Period:
    """Return the period of a preset; the default one for a name that does not exist."""
    return PRESETS.get(key or DEFAULT, PRESETS[DEFAULT]).on(today)
