"""Writes cost rows as Parquet with exact decimals; knows no query and no HTTP."""

import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db.models import F, Func, IntegerField, Max, QuerySet

if TYPE_CHECKING:
    import pyarrow as pa

_AMOUNTS = ("amount_usd", "list_amount_usd")
# Rows of one row group, which is written as a whole: some 10 MB of memory while it is.
_ROWS_A_GROUP = 10_000


class NotExactError(Exception):
    """An amount has more digits than the widest decimal of the format holds."""


@dataclass(frozen=True, slots=True)
class Digits:
    """How many digits an amount may have before and after its point."""

    before: int
    after: int


# What Spark, DuckDB and BigQuery read at full speed; the digits that Anthropic documents are 16 at most, in dollars.
USUAL = Digits(22, 16)
# Everything that passes our door (18 before, 32 after) and shares of it, in the 256 bits of the format's widest.
WIDEST = Digits(38, 38)


def digits_of(facts: QuerySet[Any]) -> Digits:
    """
    Return the narrower of two layouts that holds every amount of the rows exactly; the same for almost every query.

    Raises:  NotExactError
    """
    measured: dict[str, Any] = {}
    for name in _AMOUNTS:
        trimmed = Func(F(name), function="trim_scale")
        measured[f"{name}_after"] = Max(Func(trimmed, function="scale", output_field=IntegerField()))
        measured[f"{name}_most"] = Max(Func(F(name), function="abs"))
    found = facts.order_by().aggregate(**measured)
    after = max(found[f"{name}_after"] or 0 for name in _AMOUNTS)
    before = max(_whole_digits(found[f"{name}_most"]) for name in _AMOUNTS)
    for digits in (USUAL, WIDEST):
        if before <= digits.before and after <= digits.after:
            return digits
    raise NotExactError(f"{before} digits before and {after} after the point")


def _whole_digits(amount: Decimal | None) -> int:
    return 0 if amount is None else max(amount.adjusted() + 1, 0)


class _Sink(io.RawIOBase):
    """Takes what the writer writes until it is taken away; knows how far it has come, which the format's index needs."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        """Return what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def write(
    rows: Iterator[Mapping[str, Any]], columns: Sequence[str], digits: Digits, *, about: Mapping[str, str]
) -> Generator[bytes, None, None]:
    """
    Write the rows in groups, the format's index last: a file that broke off in the middle cannot be opened.

    Shape:   day is a date, observed_at a moment in UTC, amounts are decimals, everything else is text; null is null;
             `about` stands in the metadata of the file
    """
    # Only who asks for such a file pays the library's 50 MB of memory.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    schema = pa.schema([(name, _type_of(name, digits)) for name in columns], metadata=dict(about))
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while group := list(islice(rows, _ROWS_A_GROUP)):
            writer.write_table(_table(group, schema))
            if chunk := sink.take():
                yield chunk
    yield sink.take()


def _type_of(name: str, digits: Digits) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415 - as above

    if name in _AMOUNTS:
        kind = pa.decimal128 if digits == USUAL else pa.decimal256
        return kind(digits.before + digits.after, digits.after)
    return {"day": pa.date32(), "observed_at": pa.timestamp("us", tz="UTC")}.get(name, pa.string())


def _table(group: Sequence[Mapping[str, Any]], schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - as above

    arrays = []
    for column in schema:
        values = [row[column.name] for row in group]
        if column.name == "connection":
            values = [str(value) for value in values]
        # An amount that would lose a digit is an error here, not a rounding.
        arrays.append(pa.array(values, column.type))
    return pa.Table.from_arrays(arrays, schema=schema)
