"""Owns the door into the domain: cost and name records, and the identity, sum and digest of every record; knows no provider and no table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

from costs import texts
from foundation.money import sum_usd, usd_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Scalar = str | int | bool | None
# Fields of a row that this version does not know: a value each, or the several values of the rows that were summed.
Extra = Mapping[str, Scalar | tuple[Scalar, ...]]

# How a day is digested; a day that another version digested is compared row by row once, see `changes`.
DIGEST_VERSION = 2
# A field that differs on every row, such as an id, would make a row of its values.
MOST_VALUES = 20
AND_MORE = "…"

# 16 bytes: a year of the largest organisation we know is 10^7 rows, which leaves the odds of two keys
# meeting near 10^-25, and the unique index a fifth of what twelve text columns would need.
ROW_KEY_BYTES = 16

# The nullable text dimensions of a cost row, in the order of the record. All of them are part of its identity.
DIMENSIONS = (
    "workspace_id",
    "api_key_id",
    "actor_type",
    "actor_id",
    "product",
    "model",
    "token_type",
    "cost_type",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
    "description",
    "attribution",
)
# How a row came to its key and person: null as upstream stated it; else a share of a billed amount that upstream
# states without them, by used tokens or by the dollars of the other generation; or the part nobody can be named for.
TOKEN_SHARE, DOLLAR_SHARE, UNATTRIBUTED = "token_share", "dollar_share", "unattributed"


class Origin(StrEnum):
    """The surface the spend comes from."""

    CLAUDE_PLATFORM = "claude_platform"
    CLAUDE_AI = "claude_ai"


class KnowsItsKey:
    """Room for the key of a record, which four stages ask for; not a field, because it follows from the fields."""

    __slots__ = ("_key",)
    _key: bytes


class Record(Protocol):
    """
    What every record of a day has: where it belongs, its key columns, and values that can be added up.

    Shape:   `KEY` names the nullable text columns of its identity; `values` in one fixed order, null as "null"
    """

    KEY: ClassVar[tuple[str, ...]]

    @property
    def day(self) -> date: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def source(self) -> str: ...
    @property
    def extra(self) -> Extra: ...

    def plus(self, other: Self) -> Self:
        """Return the record with the other's values added; both have the same day and key."""

    def value_texts(self) -> tuple[str, ...]:
        """Return the values as canonical text, for the digest: equal values, equal text."""


_R = TypeVar("_R", bound=Record)


def refuse_bad_frame(day: date, extra: Extra) -> None:
    """Raise TypeError for a moment in place of a day, or for extra fields that are nested."""
    if isinstance(day, datetime):
        raise TypeError("a record belongs to a day, not to a moment")
    if not all(value is None or isinstance(value, str | int | tuple) for value in extra.values()):
        raise TypeError("extra fields hold text, whole numbers, booleans and null only")


def bound_texts(record: Record) -> None:
    """Shorten what is too long of a record that is being made; see `costs.texts`."""
    values = _key_values(record.KEY)(record)
    # Nearly always there is nothing to do, for millions of records: one look at all of them.
    if max(map(len, filter(None, values)), default=0) > texts.MOST_CHARACTERS:
        for name, value in zip(record.KEY, values, strict=True):
            if value is not None:
                object.__setattr__(record, name, texts.shorten(value))
    if record.extra:
        object.__setattr__(record, "extra", texts.shorten_fields(record.extra))


def merged_extra(one: Extra, other: Extra) -> Extra:
    """
    Put the unknown fields of two rows that are summed side by side, in whatever order the rows come.

    Shape:   a field of one value keeps it; of several it has all as a tuple, null for a row without it; of more than
             twenty the first ones and a sign that there are more
    """
    if one == other:
        return one
    return {name: _both(one.get(name), other.get(name)) for name in {**one, **other}}


def _both(one: Scalar | tuple[Scalar, ...], other: Scalar | tuple[Scalar, ...]) -> Any:
    values = {
        json.dumps(value): value
        for side in (one, other)
        for value in (side if isinstance(side, tuple) else (side,))
    }
    if len(values) == 1:
        return next(iter(values.values()))
    is_cut = values.pop(json.dumps(AND_MORE), None) is not None or len(values) > MOST_VALUES
    kept = tuple(values[text] for text in sorted(values)[:MOST_VALUES])
    return (*kept, AND_MORE) if is_cut else kept


def stated_extra(record: Record) -> Extra:
    """Return the record's unknown fields without those that are null: they say nothing."""
    return {name: value for name, value in record.extra.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRecord(KnowsItsKey):
    """
    One amount of one UTC day for one combination of dimensions, as upstream stated it.

    Units:   amounts in US dollars, every digit kept; negative is allowed
    Key:     `day` and `row_key`; null is a value of its own and differs from an empty text
    Raises:  TypeError, ValueError: a day with a time, an amount that is not a finite Decimal, a nested extra
    """

    KEY: ClassVar[tuple[str, ...]] = DIMENSIONS

    day: date
    origin: Origin
    source: str
    amount_usd: Decimal
    workspace_id: str | None = None
    api_key_id: str | None = None
    actor_type: str | None = None
    actor_id: str | None = None
    product: str | None = None
    model: str | None = None
    token_type: str | None = None
    cost_type: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    description: str | None = None
    attribution: str | None = None
    extra: Extra = field(default_factory=dict)
    list_amount_usd: Decimal | None = None

    def __post_init__(self) -> None:
        refuse_bad_frame(self.day, self.extra)
        for amount in (self.amount_usd, self.list_amount_usd):
            if amount is not None and not (isinstance(amount, Decimal) and amount.is_finite()):
                raise ValueError("an amount must be a finite Decimal")
        bound_texts(self)

    def plus(self, other: Self) -> Self:
        """Add the amounts; a list amount that is missing on one side is missing on the sum, never half a sum."""
        list_amount = None
        if self.list_amount_usd is not None and other.list_amount_usd is not None:
            list_amount = sum_usd((self.list_amount_usd, other.list_amount_usd))
        amount = sum_usd((self.amount_usd, other.amount_usd))
        extra = merged_extra(self.extra, other.extra)
        return replace(self, amount_usd=amount, list_amount_usd=list_amount, extra=extra)

    def value_texts(self) -> tuple[str, ...]:
        """Return amount and list amount."""
        return (usd_text(self.amount_usd), _usd_or_null(self.list_amount_usd))


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRecord:
    """
    What upstream calls one of its resources at the time of asking.

    Shape:   long texts are shortened; `kind` is workspace, api_key or person; `attributes` can be written as JSON; `is_listed` False: seen
             beside a row of a report, which says less than the list of such resources; `is_placeholder`: a
             stand-in such as "Deleted User", which must not replace a name that is known; `is_nameless`: upstream says
             no name, the id stands in for it
    """

    kind: str
    resource_id: str
    name: str
    archived_at: datetime | None = None
    is_default: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)
    is_listed: bool = True
    is_placeholder: bool = False
    is_nameless: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "resource_id", texts.shorten(self.resource_id))
        object.__setattr__(self, "name", texts.shorten(self.name))
        object.__setattr__(self, "attributes", texts.shorten_fields(self.attributes))


def row_key(record: Record) -> bytes:
    """
    Identify a row among the rows of its day: 16 bytes over every key column.

    Key:     null differs from "". A column that is null counts as absent, so a column we add later leaves the keys of
             stored rows as they are. Fields that we do not know are no part of it: upstream adds them at any time,
             and the row is still the same money
    """
    try:
        return record._key  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001 - written below and nowhere else
    except AttributeError:
        key = _known_key(record.KEY, _key_values(record.KEY)(record), record.origin, record.source)
        object.__setattr__(record, "_key", key)
        return key


@cache
def _key_values(names: tuple[str, ...]) -> Callable[[Record], tuple[str | None, ...]]:
    return attrgetter(*names)


# The day is no part of the key, so that most rows of a window have one that was worked out for another day. The
# largest organisation we know has 7,500 of them a day.
@lru_cache(maxsize=16_384)
def _known_key(names: tuple[str, ...], values: tuple[str | None, ...], origin: Origin, source: str) -> bytes:
    columns: dict[str, Any] = {
        name: value for name, value in zip(names, values, strict=True) if value is not None
    }
    columns["origin"], columns["source"] = origin.value, source
    canonical = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return blake2b(canonical.encode("ascii"), digest_size=ROW_KEY_BYTES).digest()


def merge_equal_keys(records: Iterable[_R]) -> list[_R]:
    """
    Sum records that share day and key, in order of first appearance.

    Shape:   n -> at most n
    """
    merged: dict[tuple[date, bytes], _R] = {}
    for record in records:
        identity = (record.day, row_key(record))
        earlier = merged.get(identity)
        merged[identity] = record if earlier is None else earlier.plus(record)
    return list(merged.values())


def day_digest(records: Iterable[Record]) -> bytes:
    """
    Fingerprint one day's records: equal exactly if keys, values and unknown fields are equal, in whatever order.

    Shape:   16 bytes; no records have a digest too; records of equal key count as their sum; 1.0 is 1.00
    Raises:  ValueError: the records are of several days
    """
    return digest_of_merged(merge_equal_keys(records))


def digest_of_merged(records: Iterable[Record]) -> bytes:
    """Do as `day_digest`, for records whose keys are known to differ."""
    days, lines = set(), []
    for record in records:
        days.add(record.day)
        said = [row_key(record).hex(), *record.value_texts()]
        if record.extra and (extra := stated_extra(record)):
            said.append(json.dumps(extra, sort_keys=True, separators=(",", ":")))
        lines.append(f"{' '.join(said)}\n".encode("ascii"))
    if len(days) > 1:
        raise ValueError("a digest covers the records of one day")
    lines.sort()
    return blake2b(b"".join(lines), digest_size=16).digest()


def _usd_or_null(amount: Decimal | None) -> str:
    return "null" if amount is None else usd_text(amount)
