"""Pages through a query by position (keyset), so that rows added or removed meanwhile shift nothing; knows no model.

DRF's cursor pages by one column plus an offset, capped at 1,000 equal values. A day holds more rows than that.
"""

import base64
import binascii
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from foundation.api.fields import TextField, WholeNumberField
from foundation.api.parsing import QuerySerializer
from foundation.problems import ProblemError, invalid

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000
# Base64 of the form for addresses, without padding.
_CURSOR = re.compile("^[A-Za-z0-9_-]+$", re.ASCII)


@extend_schema_field({"type": "string", "pattern": _CURSOR.pattern})
class CursorField(TextField):
    """An opaque place in a list."""


class PageQuery(QuerySerializer):
    """The two parameters every list has."""

    cursor = CursorField(
        required=False,
        trim_whitespace=False,
        help_text="From `next` or `previous`; opaque. Keep the other parameters as they were.",
    )
    page_size = WholeNumberField(
        required=False,
        min_value=1,
        max_value=MAX_PAGE_SIZE,
        default=DEFAULT_PAGE_SIZE,
        help_text="Rows of one page.",
    )


@dataclass(frozen=True, slots=True)
class _Cursor:
    """A place between two rows, and which way to read from it."""

    backwards: bool
    position: tuple[str, ...]

    def encode(self) -> str:
        text = json.dumps([int(self.backwards), *self.position], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, *, columns: int) -> "_Cursor":
        if not _CURSOR.fullmatch(text):
            raise _bad_cursor()
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            backwards, *position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, TypeError, RecursionError) as error:
            raise _bad_cursor() from error
        if (
            backwards not in (0, 1)
            or len(position) != columns
            or not all(isinstance(p, str) for p in position)
        ):
            raise _bad_cursor()
        return cls(bool(backwards), tuple(position))


def _bad_cursor() -> ProblemError:
    return invalid("cursor", "This cursor is not one of ours. Start again without it.", "bad_cursor")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and the full addresses of its neighbours."""

    rows: Sequence[Any]
    next: str | None
    previous: str | None


# Position of the cursor as texts or None, how many rows are wanted, and whether they are read backwards → the rows in parts,
# which follow each other in the order that is read.
Parts = Callable[[Sequence[str] | None, int, bool], Iterator[QuerySet[Any]]]


@dataclass(frozen=True, slots=True)
class KeysetPaginator:
    """
    Cuts a query into pages along columns that together are unique.

    Shape:   all columns ascending, or all descending when `descending`; none may be null
    """

    columns: tuple[str, ...]
    descending: bool = False

    def page(self, rows: QuerySet[Any], request: HttpRequest, query: dict[str, Any]) -> Page:
        """Return the page the checked parameters ask for; ProblemError when the cursor is not ours."""
        return self.page_of_parts(lambda *_: iter((rows,)), request, query)

    def page_of_parts(self, parts: Parts, request: HttpRequest, query: dict[str, Any]) -> Page:
        """Return the same page of rows that come in parts, of which no more are read than the page needs."""
        size = query["page_size"]
        text = query.get("cursor")
        cursor = _Cursor.decode(text, columns=len(self.columns)) if text else None
        backwards = cursor is not None and cursor.backwards
        down = self.descending != backwards
        # One row more than asked for tells whether there is a further page.
        found: list[Any] = []
        for rows in parts(cursor.position if cursor else None, size + 1, backwards):
            ordered = rows.order_by(*(f"-{column}" if down else column for column in self.columns))
            if cursor:
                ordered = ordered.filter(self._beyond(rows.model, cursor.position, down=down))
            found += ordered[: size + 1 - len(found)]
            if len(found) > size:
                break
        has_more = len(found) > size
        found = found[:size]
        if backwards:
            found.reverse()
        has_next, has_previous = (True, has_more) if backwards else (has_more, cursor is not None)
        url = request.build_absolute_uri()
        return Page(
            found,
            self._link(url, found, -1, backwards=False) if has_next else None,
            self._link(url, found, 0, backwards=True) if has_previous else None,
        )

    def _link(self, url: str, found: Sequence[Any], index: int, *, backwards: bool) -> str | None:
        if not found:
            # The rows beyond the cursor are gone; there is no place left to go on from.
            return None
        position = tuple(_text(getattr(found[index], column)) for column in self.columns)
        return replace_query_param(url, "cursor", _Cursor(backwards, position).encode())

    def _beyond(self, model: type[Model], position: Sequence[str], *, down: bool) -> Q:
        """Build (a, b) > (x, y) as `a >= x AND (a > x OR (a = x AND b > y))`; the first part can use an index."""
        step = "lt" if down else "gt"
        values = [_value(model, column, text) for column, text in zip(self.columns, position, strict=True)]
        condition = Q()
        equal = Q()
        for column, value in zip(self.columns, values, strict=True):
            condition |= equal & Q(**{f"{column}__{step}": value})
            equal &= Q(**{column: value})
        return Q(**{f"{self.columns[0]}__{step}e": values[0]}) & condition


def page_of_sequence(
    rows: Sequence[Any], key: Callable[[Any], str], request: HttpRequest, query: dict[str, Any]
) -> Page:
    """Return the page of a short list that is at hand already, ordered by a unique text; ProblemError as above."""
    size, text = query["page_size"], query.get("cursor")
    cursor = _Cursor.decode(text, columns=1) if text else None
    keys = [key(row) for row in rows]
    start = 0
    if cursor and cursor.backwards:
        start = max(bisect_left(keys, cursor.position[0]) - size, 0)
    elif cursor:
        start = bisect_right(keys, cursor.position[0])
    end = min(
        start + size, bisect_left(keys, cursor.position[0]) if cursor and cursor.backwards else len(keys)
    )
    url = request.build_absolute_uri()

    def link(place: int, *, backwards: bool) -> str:
        return replace_query_param(url, "cursor", _Cursor(backwards, (keys[place],)).encode())

    return Page(
        rows[start:end],
        link(end - 1, backwards=False) if start < end < len(keys) else None,
        link(start, backwards=True) if 0 < start < end else None,
    )


def page_response(page: Page, kind: type[serializers.Serializer[Any]]) -> Response:
    """Write a page with the serializer of its rows."""
    return Response(
        {"next": page.next, "previous": page.previous, "results": kind(page.rows, many=True).data}
    )


@cache  # one class, or the registry sees two components of one name
def page_of(kind: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return the serializer of a page for the OpenAPI document."""
    # One object for each: a serializer takes a field that stands under two names for the second only.
    links = {name: serializers.URLField(allow_null=True, read_only=True) for name in ("next", "previous")}
    return inline_serializer(
        f"{kind.__name__.removesuffix('Serializer')}Page",
        {**links, "results": kind(many=True, read_only=True)},
    )


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _column(model: type[Model], column: str) -> "Field[Any, Any]":
    return cast("Field[Any, Any]", model._meta.get_field(column))


def _value(model: type[Model], column: str, text: str) -> Any:
    """Read a position back as its column's type; whatever the column would refuse is not our cursor."""
    try:
        value = _column(model, column).to_python(text)
    except (ValidationError, OverflowError) as error:
        raise _bad_cursor() from error
    if value is None or "\0" in text or (isinstance(value, int) and abs(value) >= 1 << 63):
        raise _bad_cursor()
    return value
