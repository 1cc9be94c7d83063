"""Owns the shapes that enter the domain: normalised cost and name records and their identity; knows no provider and no table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from costs.money import sum_usd, usd_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Scalar = str | int | bool | None

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
)


class Origin(StrEnum):
    """The surface the spend comes from."""

    CLAUDE_PLATFORM = "claude_platform"
    CLAUDE_AI = "claude_ai"


class _KnowsItsKey:
    """Room for the key of a record, which four stages ask for; not a field, because it follows from the fields."""

    __slots__ = ("_key",)
    _key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRecord(_KnowsItsKey):
    """
    One amount of one UTC day for one combination of dimensions, as upstream stated it.

    Units:   amounts in US dollars, every digit kept; negative is allowed
    Key:     `day` and `row_key`; null is a value of its own and differs from an empty text
    Raises:  TypeError, ValueError: a day with a time, an amount that is not a finite Decimal, a nested extra
    """

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
    extra: Mapping[str, Scalar] = field(default_factory=dict)
    list_amount_usd: Decimal | None = None

    def __post_init__(self) -> None:
        if isinstance(self.day, datetime):
            raise TypeError("a record belongs to a day, not to a moment")
        for amount in (self.amount_usd, self.list_amount_usd):
            if amount is not None and not (isinstance(amount, Decimal) and amount.is_finite()):
                raise ValueError("an amount must be a finite Decimal")
        if not all(value is None or isinstance(value, str | int) for value in self.extra.values()):
            raise TypeError("extra fields hold text, whole numbers, booleans and null only")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRecord:
    """What upstream calls one of its resources at the time of asking; `attributes` can be written as JSON."""

    kind: str
    resource_id: str
    name: str
    archived_at: datetime | None = None
    is_default: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)


def row_key(record: CostRecord) -> bytes:
    """
    Identify a row among the rows of its day: 16 bytes over every key column and extra field.

    Key:     null differs from "". A column or extra field that is null counts as absent, so a column we add
             later, or a field upstream starts to send as null, leaves the keys of stored rows as they are
    """
    try:
        return record._key  # noqa: SLF001 - written below and nowhere else
    except AttributeError:
        key = _compute_row_key(record)
        object.__setattr__(record, "_key", key)
        return key


def _compute_row_key(record: CostRecord) -> bytes:
    columns: dict[str, Any] = {
        name: value for name in DIMENSIONS if (value := getattr(record, name)) is not None
    }
    columns["origin"] = record.origin.value
    columns["source"] = record.source
    extra = {name: value for name, value in record.extra.items() if value is not None}
    if extra:
        columns["extra"] = extra
    canonical = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return blake2b(canonical.encode("ascii"), digest_size=ROW_KEY_BYTES).digest()


def merge_equal_keys(records: Iterable[CostRecord]) -> list[CostRecord]:
    """
    Sum records that share day and key, in order of first appearance.

    Shape:   n -> at most n; a list amount that is missing on one side is missing on the sum, never half a sum
    """
    return list(_merged(records).values())


def day_digest(records: Iterable[CostRecord]) -> bytes:
    """
    Fingerprint one day's records: equal exactly if keys and amounts are equal, in whatever order.

    Shape:   16 bytes; no records have a digest too; records of equal key count as their sum; 1.0 is 1.00
    Raises:  ValueError: the records are of several days
    """
    merged = _merged(records)
    if len({day for day, _ in merged}) > 1:
        raise ValueError("a digest covers the records of one day")
    lines = sorted(
        b"%b %b %b\n"
        % (key.hex().encode(), _amount_bytes(record.amount_usd), _amount_bytes(record.list_amount_usd))
        for (_, key), record in merged.items()
    )
    return blake2b(b"".join(lines), digest_size=16).digest()


def _merged(records: Iterable[CostRecord]) -> dict[tuple[date, bytes], CostRecord]:
    merged: dict[tuple[date, bytes], CostRecord] = {}
    for record in records:
        identity = (record.day, row_key(record))
        earlier = merged.get(identity)
        merged[identity] = record if earlier is None else _sum(earlier, record)
    return merged


def _sum(one: CostRecord, other: CostRecord) -> CostRecord:
    list_amount = None
    if one.list_amount_usd is not None and other.list_amount_usd is not None:
        list_amount = sum_usd((one.list_amount_usd, other.list_amount_usd))
    return replace(one, amount_usd=sum_usd((one.amount_usd, other.amount_usd)), list_amount_usd=list_amount)


def _amount_bytes(amount: Decimal | None) -> bytes:
    return b"null" if amount is None else usd_text(amount).encode("ascii")
