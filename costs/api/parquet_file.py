"""Writes cost rows as Parquet with exact decimals; knows no query and no HTTP."""

import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db.models import F, Func, IntegerField, Max, QuerySet

from foundation.money import usd_text

if TYPE_CHECKING:
    import pyarrow as pa

_AMOUNTS = ("amount_usd", "list_amount_usd")
# Rows of one row group, which is written as a whole: some 10 MB of memory while it is.
_ROWS_A_GROUP = 10_000
# Taking noughts off the end of an amount must not round it; what the table can hold has fewer digits.
_EXACT = Context(prec=1000)


# Of the widest decimal that DuckDB, Spark, BigQuery, Athena and Snowflake read; a wider one they refuse, or round.
_MOST_DIGITS = 38
# After the point where nothing needs more: the digits that Anthropic documents are 16 at most, in dollars.
_USUAL_AFTER = 16


def text_column(name: str) -> str:
    """Return the column that holds, as text, the amounts that the decimal one cannot."""
    return f"{name}_text"


TEXT_COLUMNS = tuple(text_column(name) for name in _AMOUNTS)


def digits_after(facts: QuerySet[Any]) -> int:
    """
    Return how many digits after the point the amounts of a file have.

    Shape:   as many as the finest amount needs where the largest still fits before the point, so that each is exact;
             else the usual number, and what does not fit goes into the text column
    """
    measured: dict[str, Any] = {}
    for name in _AMOUNTS:
        trimmed = Func(F(name), function="trim_scale")
        measured[f"{name}_after"] = Max(Func(trimmed, function="scale", output_field=IntegerField()))
        measured[f"{name}_most"] = Max(Func(F(name), function="abs"))
    found = facts.order_by().aggregate(**measured)
    after = max(_USUAL_AFTER, *(found[f"{name}_after"] or 0 for name in _AMOUNTS))
    before = max(_whole_digits(found[f"{name}_most"]) for name in _AMOUNTS)
    return after if before + after <= _MOST_DIGITS else _USUAL_AFTER


def _whole_digits(amount: Decimal | None) -> int:
    return 0 if amount is None else max(amount.adjusted() + 1, 0)


def fits(amount: Decimal, after: int) -> bool:
    """Say whether a decimal with so many digits after its point holds the amount to the last digit."""
    finest = amount.normalize(_EXACT).as_tuple().exponent
    return -int(finest) <= after and _whole_digits(amount) <= _MOST_DIGITS - after


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
    rows: Iterator[Mapping[str, Any]], columns: Sequence[str], after: int, *, about: Mapping[str, str]
) -> Generator[bytes, None, None]:
    """
    Write the rows in groups, the format's index last: a file that broke off in the middle cannot be opened.

    Shape:   day is a date, observed_at a moment in UTC, amounts are decimals, everything else is text; null is null.
             An amount that does not fit is null in its own column and text in the one beside it;
             `about` stands in the metadata of the file
    """
    # Only who asks for such a file pays the library's 50 MB of memory.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    names = (*columns, *TEXT_COLUMNS)
    schema = pa.schema([(name, _type_of(name, after)) for name in names], metadata=dict(about))
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while group := list(islice(rows, _ROWS_A_GROUP)):
            writer.write_table(_table(group, schema))
            if chunk := sink.take():
                yield chunk
    yield sink.take()


def _type_of(name: str, after: int) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415 - as above

    if name in _AMOUNTS:
        return pa.decimal128(_MOST_DIGITS, after)
    return {"day": pa.date32(), "observed_at": pa.timestamp("us", tz="UTC")}.get(name, pa.string())


def _table(group: Sequence[Mapping[str, Any]], schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - as above

    after = schema.field(_AMOUNTS[0]).type.scale
    # An amount that would lose a digit is an error in a decimal column, not a rounding.
    arrays = [pa.array(_values(group, column.name, after), column.type) for column in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _values(group: Sequence[Mapping[str, Any]], name: str, after: int) -> list[Any]:
    if name in _AMOUNTS:
        return [
            value if value is None or fits(value, after) else None for value in (row[name] for row in group)
        ]
    if name in TEXT_COLUMNS:
        amounts = [row[name.removesuffix("_text")] for row in group]
        return [None if value is None or fits(value, after) else usd_text(value) for value in amounts]
    values = [row[name] for row in group]
    return [str(value) for value in values] if name == "connection" else values
