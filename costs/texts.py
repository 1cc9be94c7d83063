"""
Owns how long a text from upstream may be: what is longer is cut, and told apart from others by a hash; raw answers stay whole.

One place for every record and name, so that ids that are joined are cut alike. What people type is bounded by its form.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Characters. Ten times the longest text we know; in four bytes each it still fits into an index of PostgreSQL, and a
# table of a hundred such lines is a page that a browser shows.
MOST_CHARACTERS = 400
# Entries of what a row has beside its columns; the ones of today's reports are fewer than ten.
MOST_FIELDS = 50
# Where the entries beyond that are kept together.
REST = "…"
_HASH_BYTES = 10
_MARK = "… #"


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """
    Return the text, or its beginning with a hash of all of it, so that two that begin alike stay two.

    Shape:   at most `most` characters; what was shortened once stays as it is
    """
    if len(text) <= most:
        return text
    mark = _MARK + blake2b(text.encode(), digest_size=_HASH_BYTES).hexdigest()
    return text[: most - len(mark)] + mark


def shorten_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """
    Bound what a row has beside its columns: names, texts, nested values and how many there are.

    Shape:   nested values that are long become the shortened text of their JSON, the entries beyond MOST_FIELDS one text
    """
    short = {shorten(name): _shorten_value(value) for name, value in fields.items()}
    kept, rest = _split(short)
    return {**kept, REST: shorten(_canonical({name: short[name] for name in rest}))} if rest else short


def shorten_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Bound the names of counts and how many there are; those beyond MOST_FIELDS are added up, none is lost."""
    short: dict[str, int] = {}
    for name in sorted(counts):
        key = shorten(name)
        short[key] = short.get(key, 0) + counts[name]
    kept, rest = _split(short)
    return {**kept, REST: sum(short[name] for name in rest)} if rest else short


def _split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the entries that stay, and the names of those that go together: none while there is room."""
    if len(fields) <= MOST_FIELDS:
        return dict(fields), []
    # What went together before stays together, wherever its sign would be sorted.
    names = sorted(fields, key=lambda name: (name == REST, name))
    return {name: fields[name] for name in names[: MOST_FIELDS - 1]}, names[MOST_FIELDS - 1 :]


def _shorten_value(value: Any) -> Any:
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, tuple):  # the values of rows that were summed, of which there are few
        return tuple(map(_shorten_value, value))
    if isinstance(value, dict | list) and len(text := _canonical(value)) > MOST_CHARACTERS:
        return shorten(text)
    return value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
