"""Owns reading Anthropic's JSON strictly into typed rows; decides what is not an answer, never what a row means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NoReturn

from costs.records import DIMENSIONS
from integrations.errors import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costs.records import Scalar

# No count or amount of ours comes near; beyond it a number is an attack on whoever does sums with it.
_MAX_NUMBER_MAGNITUDE = 60
_MAX_NUMBER_CHARACTERS = 120

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
# Escapes that may spell NUL or half a character: valid JSON, but no text PostgreSQL would store.
_SUSPECT_ESCAPE = re.compile(r"\\u(0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_COST_FIELDS = frozenset({"amount", "list_amount", "currency", *DIMENSIONS})


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
class CostRow:
    """One result of a cost bucket; amounts still are cents as text, `extra` holds the fields we do not know."""

    amount: str
    currency: str
    list_amount: str | None
    dimensions: Mapping[str, str | None]
    extra: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class CostBucketRow:
    """One time bucket; no results is an answer (nothing was spent), not a gap."""

    starting_at: datetime
    ending_at: datetime
    results: tuple[CostRow, ...]


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """One workspace; `attributes` are all further fields, ready to be written as JSON."""

    id: str
    name: str
    created_at: datetime | None
    archived_at: datetime | None
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """The organisation a key belongs to."""

    id: str
    name: str


def decode(body: bytes) -> dict[str, Any]:
    """
    Read one JSON object strictly; numbers with a fraction become Decimal.

    Raises:  WireError (retryable): not UTF-8, not JSON, cut short;
             WireError (fatal): NaN or Infinity, a number of absurd size, a name twice in one object, text
             that no database stores, nesting without end, not an object
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


def read_envelope(document: Mapping[str, Any], cursor_field: str) -> Envelope:
    """Read the rows and paging fields of a page; `cursor_field` is where this endpoint puts its next cursor."""
    rows = document.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise WireError("its data is not a list of objects")
    has_more = document.get("has_more")
    if not isinstance(has_more, bool):
        raise WireError("it does not say whether there are more pages")
    return Envelope(
        rows=rows,
        has_more=has_more,
        # An empty token is no token.
        next_cursor=_text_or_null(document, cursor_field) or None,
        data_refreshed_at=_moment_or_null(document, "data_refreshed_at"),
    )


def read_cost_bucket(row: Mapping[str, Any]) -> CostBucketRow:
    """Read one bucket of a cost report with its results."""
    results = row.get("results")
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise WireError("a bucket's results are not a list of objects")
    return CostBucketRow(
        starting_at=_moment(row, "starting_at"),
        ending_at=_moment(row, "ending_at"),
        results=tuple(_cost_row(result) for result in results),
    )


def read_workspace(row: Mapping[str, Any]) -> WorkspaceRow:
    """Read one workspace; all but id and name may be missing, as older answers lack them."""
    known = {"id", "type", "name", "archived_at"}
    attributes: dict[str, Any] = json.loads(
        _canonical({name: value for name, value in row.items() if name not in known})
    )
    return WorkspaceRow(
        id=_text(row, "id"),
        name=_text(row, "name"),
        created_at=_moment_or_null(row, "created_at"),
        archived_at=_moment_or_null(row, "archived_at"),
        attributes=attributes,
    )


def read_organization(document: Mapping[str, Any]) -> OrganizationRow:
    """Read the answer of the endpoint that says whose key it is."""
    return OrganizationRow(id=_text(document, "id"), name=_text(document, "name"))


def read_moment(text: str) -> datetime:
    """Read an RFC 3339 time with its zone; WireError when it is anything else."""
    if not _RFC3339.fullmatch(text):
        raise WireError(f"{text[:40]!r} is not a time with a zone")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise WireError(f"{text[:40]!r} is not a time") from error


def _cost_row(row: Mapping[str, Any]) -> CostRow:
    return CostRow(
        amount=_text(row, "amount"),
        currency=_text(row, "currency"),
        list_amount=_text_or_null(row, "list_amount"),
        dimensions={name: _text_or_null(row, name) for name in DIMENSIONS},
        extra={name: _scalar(value) for name, value in row.items() if name not in _COST_FIELDS},
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = _text_or_null(row, name)
    if not value:
        raise WireError(f"{name} is missing")
    return value


def _text_or_null(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise WireError(f"{name} is not text")


def _moment(row: Mapping[str, Any], name: str) -> datetime:
    return read_moment(_text(row, name))


def _moment_or_null(row: Mapping[str, Any], name: str) -> datetime | None:
    text = _text_or_null(row, name)
    return None if text is None else read_moment(text)


def _scalar(value: Any) -> Scalar:
    if value is None or isinstance(value, str | int):
        return value
    # A number with a fraction or anything nested: its one canonical spelling, so that equal is equal.
    return f"{value:f}" if isinstance(value, Decimal) else _canonical(value)


def _canonical(value: Any) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_spell_decimal
    )


def _spell_decimal(value: Decimal) -> str:
    return f"{value:f}"


def _fraction(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise WireError("it holds a number of absurd size") from None
    if len(text) > _MAX_NUMBER_CHARACTERS or abs(number.adjusted()) > _MAX_NUMBER_MAGNITUDE:
        raise WireError("it holds a number of absurd size")
    return number


def _whole(text: str) -> int:
    if len(text) > _MAX_NUMBER_MAGNITUDE:
        raise WireError("it holds a number of absurd size")
    return int(text)


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
