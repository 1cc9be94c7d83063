"""How much of a day has arrived by a moment, so that hours and minutes always add up to their day; pure."""

from __future__ import annotations

from dataclasses import dataclass

from .traffic import ARRIVED_PERMILLE

MINUTES_PER_DAY = 1440
# A share is a number of slots of every twenty consecutive units, so that small counts are spread too.
SLOTS = 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """The state of one day: how many of its hours have begun, and how far the last of them has come.

    A closed day has all its hours and all its units. The last hour of a running day holds what has arrived in it,
    spread over the minutes that have begun.
    """

    hours: int
    is_closed: bool = False
    minutes: int = 60

    def reached(self, total: int, minute: int) -> int:
        """Return how many of the whole day's `total` units had arrived `minute` minutes after midnight."""
        hour, rest = divmod(minute, 60)
        low = self._by_hour(total, hour)
        if not rest or hour >= self.hours:
            return low
        high = self._by_hour(total, hour + 1)
        spread = self.minutes if hour == self.hours - 1 else 60
        return low + (high - low) * min(rest, spread) // spread

    def _by_hour(self, total: int, hour: int) -> int:
        hour = min(hour, self.hours)
        if not hour:
            return 0
        return total if hour == 24 and self.is_closed else total * ARRIVED_PERMILLE[hour - 1] // 1000


CLOSED = Arrival(24, is_closed=True)
NOT_YET = Arrival(0)


@dataclass(frozen=True, slots=True)
class Curve:
    """The part of a day's `total` that falls into a block of slots; the parts of all blocks add up to the total.

    Every part grows monotonically with the total, so no bucket is ever negative, however fine it is.
    """

    total: int
    first: int = 0
    width: int = SLOTS

    def at(self, arrival: Arrival, minute: int = MINUTES_PER_DAY) -> int:
        """Return how much had arrived `minute` minutes after midnight."""
        return block_part(arrival.reached(self.total, minute), self.first, self.width)


def block_part(count: int, first: int, width: int) -> int:
    """Return how many of the first `count` units fall into the block of `width` slots from `first` on."""
    cycles, rest = divmod(count, SLOTS)
    return cycles * width + min(max(rest - first, 0), width)
