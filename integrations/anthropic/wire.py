"""Owns reading Anthropic's JSON strictly: documents, pages and typed fields; decides what is no answer, never what it means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from sys import intern
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from costs.texts import shorten
from integrations.errors import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costs.records import Scalar

# No count or amount of ours comes near; beyond it a number is an attack on whoever does sums with it.
_MAX_NUMBER_MAGNITUDE = 60
_MAX_COUNT = 10**15
_MAX_NUMBER_CHARACTERS = 400
_DIGITS = re.compile("[0-9]{1,15}", re.ASCII)
# Pinned with the connection, and compared ever after: never shortened. A page's token travels in an address, of which
# servers take about 8,000 characters.
MOST_ORGANIZATION_ID_CHARACTERS = 64
_MOST_CURSOR_CHARACTERS = 4_000
_MOST_NAME_CHARACTERS = 120

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
# Escapes that may spell NUL or half a character: valid JSON, but no text PostgreSQL would store.
_SUSPECT_ESCAPE = re.compile(r"\\u(0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Row: TypeAlias = "Mapping[str, Any]"


class WireError(ValueError):
    """An answer that cannot be read. RETRYABLE when it was damaged on its way, FATAL when it says something wrong."""

    def __init__(self, cause: str, fate: Fate = Fate.FATAL) -> None:
        super().__init__(cause)
        self.fate = fate


@dataclass(frozen=True, slots=True)
class Envelope:
    """What surrounds the rows of a page; `next_cursor` as sent, whether or not `has_more`."""

    rows: list[dict[str, Any]]
    has_more: bool
    next_cursor: str | None
    data_refreshed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """The organisation a key belongs to."""

    id: str
    name: str


def decode(body: bytes) -> dict[str, Any]:
    """
    Read one JSON object strictly; numbers with a fraction become Decimal.

    Shape:   a number of absurd size stays the text it came as: it is no number to anybody, and spoils its field alone
    Raises:  WireError (retryable): not UTF-8, not JSON, cut short;
             WireError (fatal): NaN or Infinity, a name twice in one object, text that no database stores, nesting
             without end, not an object
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("it is not valid UTF-8", Fate.RETRYABLE) from error
    try:
        document = json.loads(
            text,
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        raise WireError("it is not JSON, or it was cut short", Fate.RETRYABLE) from error
    except RecursionError as error:
        raise WireError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise WireError("it is not a JSON object")
    if _SUSPECT_ESCAPE.search(text):
        _refuse_unstorable(document)
    return document


def read_envelope(document: Row, cursor_field: str) -> Envelope:
    """Read the rows and paging fields of a page; `cursor_field` is where this endpoint puts its next cursor."""
    rows = get_objects(document, "data")
    has_more = document.get("has_more")
    if not isinstance(has_more, bool):
        raise WireError("it does not say whether there are more pages")
    cursor = find_text(document, cursor_field)
    if cursor and len(cursor) > _MOST_CURSOR_CHARACTERS:
        raise WireError("the token of its next page is too long to be sent")
    return Envelope(
        rows=rows,
        has_more=has_more,
        # An empty token is no token.
        next_cursor=cursor or None,
        data_refreshed_at=find_moment(document, "data_refreshed_at"),
    )


def read_organization(document: Row) -> OrganizationRow:
    """Read the answer of the endpoint that says whose key it is; WireError when the id is none by its length."""
    found = OrganizationRow(id=get_text(document, "id"), name=get_text(document, "name"))
    if len(found.id) > MOST_ORGANIZATION_ID_CHARACTERS:
        raise WireError("the id of the organisation is too long to be one")
    return OrganizationRow(id=found.id, name=shorten(found.name, _MOST_NAME_CHARACTERS))


def read_moment(text: str) -> datetime:
    """Read an RFC 3339 time with its zone; WireError when it is anything else."""
    if not _RFC3339.fullmatch(text):
        raise WireError(f"{text[:40]!r} is not a time with a zone")
    try:
        # In UTC, which what is written at either end of the calendar may not have.
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WireError(f"{text[:40]!r} is not a time") from error


def get_text(row: Row, name: str) -> str:
    """Return text that must be there and not be empty."""
    value = find_text(row, name)
    if not value:
        raise WireError(f"{name} is missing")
    return value


def find_text(row: Row, name: str) -> str | None:
    """Return text, or None where it is null or not sent."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise WireError(f"{name} is not text")


def find_word(row: Row, name: str) -> str | None:
    """Return text that many rows share, or None; kept once in memory, however many records hold it."""
    value = find_text(row, name)
    return value if value is None else intern(value)


def get_moment(row: Row, name: str) -> datetime:
    """Return a time that must be there."""
    return read_moment(get_text(row, name))


def find_moment(row: Row, name: str) -> datetime | None:
    """Return a time, or None where it is null or not sent."""
    text = find_text(row, name)
    return None if text is None else read_moment(text)


def get_count(row: Row, name: str) -> int:
    """Return a whole number of zero or more that must be there."""
    value = find_count(row, name)
    if value is None:
        raise WireError(f"{name} is missing")
    return value


def find_count(row: Row, name: str) -> int | None:
    """Return a whole number of zero or more, or None where it is null or not sent."""
    value = row.get(name)
    if value is None or is_count(value):
        return value
    raise WireError(f"{name} is not a whole number of zero or more")


def is_count(value: Any) -> bool:
    """
    Whether a value can be counted up; true and false, which Python takes for numbers, cannot.

    Units:   at most a quadrillion, so that thousands of them add up to a 64-bit number
    """
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT


def as_count(value: Any) -> int | None:
    """Return a whole number of zero or more however it is written (12, 12.0, "12"); None for anything else."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return value if is_count(value) else None


def get_object(row: Row, name: str) -> dict[str, Any]:
    """Return an object that must be there."""
    value = row.get(name)
    if isinstance(value, dict):
        return value
    raise WireError(f"{name} is not an object")


def get_objects(row: Row, name: str) -> list[dict[str, Any]]:
    """Return a list of objects that must be there."""
    value = row.get(name)
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return value
    raise WireError(f"{name} is not a list of objects")


def scalar(value: Any) -> Scalar:
    """Return a value that a record can hold; a fraction or anything nested in its one canonical spelling."""
    if value is None or isinstance(value, str | int):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else canonical(value)


def canonical(value: Any) -> str:
    """Write a JSON value so that equal values have equal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_spell_decimal
    )


def _spell_decimal(value: Decimal) -> str:
    return f"{value:f}"


def _fraction(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    is_absurd = len(text) > _MAX_NUMBER_CHARACTERS or abs(number.adjusted()) > _MAX_NUMBER_MAGNITUDE
    return text if is_absurd else number


def _whole(text: str) -> int | str:
    return text if len(text) > _MAX_NUMBER_MAGNITUDE else int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise WireError(f"it holds {name}, which is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise WireError("it holds a name twice in one object")
    return document


def _refuse_unstorable(document: dict[str, Any]) -> None:
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and _UNSTORABLE.search(value):
            raise WireError("it holds text that is not valid Unicode")
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
