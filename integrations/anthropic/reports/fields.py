"""Owns reading a field that came in another type than expected: what is understood is kept, the rest beside it as it came."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from integrations.anthropic import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costs.records import Scalar


def read_columns(row: wire.Row, names: Iterable[str], odd: dict[str, Scalar]) -> dict[str, Any]:
    """
    Return the text columns of a row.

    Shape:   a value that is no text has its one canonical spelling, so that rows stay apart by it; how it came
             stands in `odd`
    """
    return {name: read_word(row, name, odd) for name in names}


def read_word(row: wire.Row, name: str, odd: dict[str, Scalar]) -> str | None:
    """Return one such column."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return intern(value)
    odd[name] = wire.scalar(value)
    return intern(value if isinstance(value := odd[name], str) else wire.canonical(value))


def read_text(row: wire.Row, name: str) -> str | None:
    """Return text that says nothing about money; None where it is anything else."""
    value = row.get(name)
    return value if isinstance(value, str) else None


def read_object(row: wire.Row, name: str, odd: dict[str, Scalar]) -> wire.Row:
    """Return an object; an empty one where something else came, or nothing."""
    value = row.get(name)
    if isinstance(value, dict):
        return value
    note(odd, name, value)
    return {}


def read_objects(row: wire.Row, name: str, odd: dict[str, Scalar]) -> list[wire.Row]:
    """Return the objects of a list, which may be missing; what else it holds is kept in `odd`."""
    value = row.get(name)
    if not isinstance(value, list):
        note(odd, name, value)
        return []
    others = [each for each in value if not isinstance(each, dict)]
    if others:
        note(odd, name, others)
    return [each for each in value if isinstance(each, dict)]


def read_count(row: wire.Row, name: str, odd: dict[str, Scalar], path: str = "") -> int:
    """
    Return a count.

    Shape:   a whole number is one however it is written (12, 12.0, "12"); anything else counts zero and stands in
             `odd`, so that the sums can say what they leave out
    """
    value = row.get(name)
    found = wire.as_count(value)
    if found is None:
        note(odd, path or name, value)
    return found or 0


def note(odd: dict[str, Scalar], name: str, value: Any) -> None:
    """Keep a value that could not be read, or that it was not there."""
    odd[name] = ABSENT if value is None else wire.scalar(value)


# What stands for a field that every row should have, and that this one lacks.
ABSENT = "absent"
