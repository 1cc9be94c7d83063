"""Strict reading of a query: unknown names, bare arrays and wrong values are 400, as upstream; knows no endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clock import parse_instant
from .wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Parameters:
    """The query of one request, already checked for names and repetition."""

    scalars: dict[str, str]
    lists: dict[str, tuple[str, ...]]

    @classmethod
    def read(
        cls, pairs: Iterable[tuple[str, str]], scalars: frozenset[str], lists: frozenset[str]
    ) -> Parameters:
        """Sort pairs into scalars and `name[]` lists; raises ApiError 400 for anything else."""
        single: dict[str, str] = {}
        many: dict[str, tuple[str, ...]] = {}
        for name, value in pairs:
            if name in scalars:
                if name in single:
                    raise ApiError(400, f"{name}: Only one value is allowed")
                single[name] = value
            elif name.endswith("[]") and name[:-2] in lists:
                many[name[:-2]] = (*many.get(name[:-2], ()), value)
            elif name in lists:
                raise ApiError(400, f"{name}: Input should be a list; use {name}[]")
            else:
                raise ApiError(400, f"{name}: Extra inputs are not permitted")
        return cls(single, many)

    def canonical(self) -> str:
        """Return a text that is equal for equal questions, leaving the cursor out."""
        single = sorted((name, value) for name, value in self.scalars.items() if name != "page")
        many = sorted((name, *sorted(values)) for name, values in self.lists.items())
        return repr((single, many))

    def integer(self, name: str, *, default: int, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        text = self.scalars.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.removeprefix("-").isdecimal()) or len(text) > 9:
            raise ApiError(400, f"{name}: Input should be a valid integer")
        if not low <= int(text) <= high:
            raise ApiError(400, f"{name}: Input should be between {low} and {high}")
        return int(text)

    def boolean(self, name: str) -> bool:
        """Return true or false; absent is false."""
        text = self.scalars.get(name, "false")
        if text not in ("true", "false"):
            raise ApiError(400, f"{name}: Input should be true or false")
        return text == "true"

    def instant(self, name: str) -> datetime | None:
        """Return an RFC 3339 moment in UTC, None when absent."""
        text = self.scalars.get(name)
        if text is None:
            return None
        try:
            return parse_instant(text)
        except (ValueError, OverflowError) as error:
            raise ApiError(400, f"{name}: Input should be an RFC 3339 timestamp with a time zone") from error

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Return one of the allowed values; the first is the default."""
        value = self.scalars.get(name, allowed[0])
        if value not in allowed:
            raise ApiError(400, f"{name}: Input should be {_either(allowed)}")
        return value

    def choices(self, name: str, allowed: tuple[str, ...]) -> frozenset[str]:
        """Return the chosen entries of a list parameter."""
        values = frozenset(self.lists.get(name, ()))
        if values - set(allowed):
            raise ApiError(400, f"{name}: Input should be {_either(allowed)}")
        return values


def _either(allowed: tuple[str, ...]) -> str:
    return " or ".join(f"'{value}'" for value in allowed)
