"""Writes rows as CSV (RFC 4180) that no spreadsheet takes for formulas; knows no column and no table."""

import datetime as dt
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from costs.money import usd_text

# A spreadsheet would run a text that begins like this as a formula; the last four are the wide forms of the first.
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_QUOTED = re.compile('[",\r\n]|^\\s|\\s$|^$')
# What one write to the client carries: large enough to be worth a system call, small beside any limit on memory.
_CHARACTERS_A_CHUNK = 65_536


def cell(value: Any) -> str:
    """
    Write one value.

    Shape:   None is an empty cell, an empty text is `""`; amounts and counts stay numbers, also negative ones; a text
             that a spreadsheet would take for a formula begins with an apostrophe
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return _text_cell(value)
    if isinstance(value, Decimal):
        return usd_text(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)


def _text_cell(text: str) -> str:
    if _FORMULA.match(text):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Generator[bytes, None, None]:
    """Write a header and a line for each row, as UTF-8 in chunks."""
    waiting = [",".join(columns)]
    size = 0
    for row in rows:
        line = ",".join([cell(row[name]) for name in columns])
        waiting.append(line)
        size += len(line)
        if size >= _CHARACTERS_A_CHUNK:
            yield _joined(waiting)
            waiting, size = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(waiting: list[str]) -> bytes:
    return ("\r\n".join(waiting) + "\r\n").encode()
