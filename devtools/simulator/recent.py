"""Keeps the sums behind the last few questions, so that the next page of a large report does not add up everything anew."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_KEPT = 12
Value = TypeVar("Value")


class Recent:
    """A few values by key, oldest out first; the key must hold everything that the value depends on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[Hashable, object] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of that key, made now when it is not kept."""
        value = self._values.get(key)
        if value is None:
            value = make()
            with self._lock:
                while len(self._values) >= _KEPT:
                    del self._values[next(iter(self._values))]
                self._values[key] = value
        return value  # type: ignore[return-value]  # one key is always made by one function
