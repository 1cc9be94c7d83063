"""The simulator's clock: real UTC, shifted, or standing still where a test put it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Whatever can say which moment it is."""

    def now(self) -> datetime: ...


class SimulatorClock:
    """Follows real UTC until it is frozen or shifted; all reads and changes are atomic assignments."""

    def __init__(self, frozen_at: datetime | None = None) -> None:
        self._frozen_at = frozen_at
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the simulated moment, aware, in UTC."""
        frozen_at = self._frozen_at
        return frozen_at if frozen_at is not None else datetime.now(UTC) + self._offset

    def freeze(self, moment: datetime) -> None:
        """Stand still at `moment`, so that the current day's provisional amounts stand still too."""
        self._frozen_at = moment.astimezone(UTC)

    def run(self, offset: timedelta) -> None:
        """Tick with real time, `offset` away from it."""
        self._offset = offset
        self._frozen_at = None


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 timestamp with a zone.

    Raises: ValueError when it is anything else, including a date alone or a time without a zone.
    """
    if len(text) < 20 or text[10] not in "Tt":
        raise ValueError(f"not an RFC 3339 timestamp: {text!r}")
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        raise ValueError(f"timestamp without a zone: {text!r}")
    return moment.astimezone(UTC)


def instant_text(moment: datetime) -> str:
    """Write a moment as RFC 3339 with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def day_text(day: date) -> str:
    """Write a UTC day's midnight as the reports do."""
    return f"{day.isoformat()}T00:00:00Z"
