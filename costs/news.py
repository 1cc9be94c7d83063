"""Owns the shape of what a report said that this version does not know; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import date

Kind = Literal["value", "field", "count", "unread"]


@dataclass(frozen=True, slots=True)
class News:
    """
    A word, a field or a count that is stored, shown and not understood.

    Shape:   `kind`: a new value of a known field, a new field, a new count, or a known field that came in a type that
             could not be read; `last_day` None: it was seen on one day, or (`first_day` None) in a list of names
    """

    source: str
    kind: Kind
    field: str
    value: str = ""
    first_day: date | None = None
    last_day: date | None = None

    def seen(self, day: date) -> News:
        """Return it with another day on which it was seen."""
        days = [each for each in (self.first_day, self.last_day, day) if each is not None]
        return replace(self, first_day=min(days), last_day=max(days))
