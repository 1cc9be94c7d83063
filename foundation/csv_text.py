"""Writes rows as CSV (RFC 4180) that no spreadsheet takes for formulas; the only writer of CSV, knows no table.

Source: owasp.org/www-community/attacks/CSV_Injection, read 2026-11. Checked by: tests/foundation/test_csv_text.py
"""

import datetime as dt
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

from foundation.money import usd_text

# The last four are the wide forms of the first, which a Japanese or Chinese spreadsheet reads alike.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# What a spreadsheet may drop in front of a sign: blanks, quotes, control characters, characters without a width.
_DROPPED = '\\s"\x00-\x1f\x7f\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff'
# Where a new cell begins for a program that does not separate cells as we do: Excel takes the semicolon in half of
# Europe, and what is pasted is separated by tabs. Quotes do not help there, because they would stand inside of a cell.
_SEPARATORS = ";|\t\r\n"
_SUSPECT = re.compile(f"[{_SEPARATORS}]|^[{_DROPPED}]*[{_SIGNS}]")
# The sign is optional so that every attempt succeeds: a text of nothing but line breaks is read once, not n times.
_BEGINNING = re.compile(f"((?:^|[{_SEPARATORS}])[{_DROPPED}]*)([{_SIGNS}]?)")
_QUOTED = re.compile('[",\r\n]|^\\s|\\s$|^$')
_NUMBER = re.compile("-?[0-9]+(?:\\.[0-9]+)?")
# What one write to the client carries: large enough to be worth a system call, small beside any limit on memory.
_CHARACTERS_A_CHUNK = 65_536


class Number(str):
    """A number that we have rounded and written ourselves, such as a percentage; stays a number, also a negative one."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _NUMBER.fullmatch(text):
            raise ValueError("a number is digits, with at most a minus sign and a point")
        return super().__new__(cls, text)


def safe(text: str) -> str:
    """
    Return a text that a spreadsheet shows and does not run.

    Shape:   an apostrophe stands before each sign that would begin a formula: at the beginning, also behind blanks and
             quotes, and likewise after a semicolon, bar, tab or line break; and before a tab or line break that begins it
    """
    if not _SUSPECT.search(text):
        return text
    marked = _BEGINNING.sub(lambda found: f"{found[1]}'{found[2]}" if found[2] else found[1], text)
    return f"'{marked}" if marked.startswith(("\t", "\r", "\n")) else marked


def cell(value: Any) -> str:
    """
    Write one value.

    Shape:   None is an empty cell, an empty text is `""`; amounts, counts and Numbers stay numbers, also negative ones;
             every other text is `safe`
    """
    if value is None:
        return ""
    if isinstance(value, Number):
        return value
    if isinstance(value, str):
        return _text_cell(value)
    if isinstance(value, Decimal):
        return usd_text(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)


# Models, kinds of tokens and names repeat from row to row: half of the time of a large file goes without.
@lru_cache(maxsize=4096)
def _text_cell(text: str) -> str:
    text = safe(text)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def line(values: Iterable[Any]) -> str:
    """Write the cells of one line, without its end."""
    return ",".join([cell(value) for value in values])


def lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Generator[bytes, None, None]:
    """Write a header and a line for each row, as UTF-8 in chunks."""
    waiting = [line(columns)]
    size = 0
    for row in rows:
        written = line(row[name] for name in columns)
        waiting.append(written)
        size += len(written)
        if size >= _CHARACTERS_A_CHUNK:
            yield joined(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield joined(waiting).encode()


def joined(written: Iterable[str]) -> str:
    """Put lines together, each with its end."""
    return "".join([f"{one}\r\n" for one in written])
