"""Replace a window of facts as a whole: insert, update, delete and record what changed, or touch nothing.

Knows records and tables, not where they came from. The caller holds the transaction and, by its lane, the
only right to write this connection's report; nothing here commits.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection as database

from costs.models import CostFact, DayDigest, Restatement
from costs.money import sum_usd
from costs.periods import day_start
from costs.records import DIMENSIONS, CostRecord, day_digest, merge_equal_keys, row_key

_COLUMNS = (
    "connection_id", "source", "day", "row_key", "origin", *DIMENSIONS,
    "extra", "amount_usd", "list_amount_usd", "observed_at",
)  # fmt: skip
_COLUMN_LIST = ", ".join(_COLUMNS)
_SELECT_FACT = ", ".join(f"fact.{column}" for column in _COLUMNS)
# A changed row keeps its key, so only these three differ between its versions.
_CHANGED = (
    "(fact.amount_usd, fact.list_amount_usd) IS DISTINCT FROM (staged.amount_usd, staged.list_amount_usd)"
)
_SAME_ROW = "staged.day = fact.day AND staged.row_key = fact.row_key"
_MINE = "fact.connection_id = %(connection)s AND fact.source = %(source)s AND fact.day = ANY(%(days)s)"


@dataclass(frozen=True, slots=True)
class Window:
    """What is replaced: the days of one report of one connection that an answer covers.

    `requested_at` is when the first request of the answer started: what it says is as of then.
    """

    connection_id: UUID
    source: str
    days: frozenset[dt.date]
    requested_at: dt.datetime
    observed_at: dt.datetime
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ingested:
    """Rows by what happened to them, and the days whose content changed."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    days_changed: tuple[dt.date, ...] = ()


@dataclass(frozen=True, slots=True)
class _Day:
    day: dt.date
    records: list[CostRecord]
    digest: bytes
    amount_usd: Decimal


def replace_window(window: Window, records: Iterable[CostRecord]) -> Ingested:
    """
    Make the stored facts of the window equal to the records.

    Shape:   0..n records; a day of the window without any is a day without cost, and is stored as such
    Key:     (connection, source, day, row key); the same records again write no fact
    Raises:  ValueError — a record outside the window or of another source (a bug in the caller)
    Effects: facts, superseded versions, restatements and day digests, inside the caller's transaction
    Checked by: tests/costs/test_ingest.py
    """
    asked = _by_day(window, records)
    stored = {
        digest.day: digest
        for digest in DayDigest.objects.filter(
            connection_id=window.connection_id, source=window.source, day__in=list(asked)
        )
    }
    # An answer that is older than what is stored must not undo it (two workers, a late one).
    fresh = [
        day for day in asked.values() if day.day not in stored or stored[day.day].as_of <= window.requested_at
    ]
    changed = [day for day in fresh if day.day not in stored or bytes(stored[day.day].digest) != day.digest]
    written = {day.day for day in changed}
    unchanged_rows = sum(len(day.records) for day in fresh if day.day not in written)
    counts = _write_days(window, changed, any_stored=any(day.day in stored for day in changed))
    # A day that was read while it still ran was bound to change; that is no revision.
    revised = {day.day for day in changed if day.day in stored and not _was_running(stored[day.day])}
    _write_digests(window, fresh, revised)
    _write_restatements(window, [day for day in changed if day.day in stored], stored, counts)
    return Ingested(
        added=sum(count.added for count in counts.values()),
        changed=sum(count.changed for count in counts.values()),
        removed=sum(count.removed for count in counts.values()),
        unchanged=unchanged_rows + sum(count.kept for count in counts.values()),
        days_changed=tuple(day.day for day in changed),
    )


def _by_day(window: Window, records: Iterable[CostRecord]) -> dict[dt.date, _Day]:
    grouped: dict[dt.date, list[CostRecord]] = {day: [] for day in sorted(window.days)}
    for record in merge_equal_keys(records):
        if record.day not in grouped or record.source != window.source:
            raise ValueError(f"record of {record.source} {record.day} does not belong to {window}")
        grouped[record.day].append(record)
    return {
        day: _Day(day, rows, day_digest(rows), sum_usd(row.amount_usd for row in rows))
        for day, rows in grouped.items()
    }


def _was_running(digest: DayDigest) -> bool:
    return digest.as_of < day_start(digest.day) + dt.timedelta(days=1)


@dataclass(slots=True)
class _Counts:
    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0


def _write_days(window: Window, days: Sequence[_Day], *, any_stored: bool) -> dict[dt.date, _Counts]:
    counts: dict[dt.date, _Counts] = defaultdict(_Counts)
    rows = [(day.day, record) for day in days for record in day.records]
    with database.cursor() as cursor:
        if not any_stored:
            # Nothing can be there to compare with (every stored day has a digest): copy straight in.
            _copy(cursor, CostFact._meta.db_table, window, rows)
            for day in days:
                counts[day.day].added = len(day.records)
            return counts
        cursor.execute(
            f"CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {_COLUMN_LIST} FROM costs_costfact WITH NO DATA"  # noqa: S608
        )
        _copy(cursor, "staged", window, rows)
        _merge(cursor, window, days, counts)
        cursor.execute("DROP TABLE staged")
    for day in days:
        tally = counts[day.day]
        tally.kept = len(day.records) - tally.added - tally.changed
    return counts


# Each statement reports the days it touched. The order matters: what is overwritten or deleted is kept in
# the history first, from the very rows that the next statement takes away.
_KEEP_OLD = f"""
    INSERT INTO costs_supersededcost ({_COLUMN_LIST}, superseded_at)
    SELECT {_SELECT_FACT}, %(observed_at)s FROM costs_costfact fact LEFT JOIN staged ON {_SAME_ROW}
    WHERE {_MINE} AND (staged.row_key IS NULL OR {_CHANGED})
"""  # noqa: S608 - column names are constants of this module
_DELETE_VANISHED = f"""
    DELETE FROM costs_costfact fact WHERE {_MINE}
    AND NOT EXISTS (SELECT 1 FROM staged WHERE {_SAME_ROW}) RETURNING fact.day
"""  # noqa: S608
_UPDATE_CHANGED = f"""
    UPDATE costs_costfact fact SET amount_usd = staged.amount_usd,
        list_amount_usd = staged.list_amount_usd, observed_at = staged.observed_at
    FROM staged WHERE {_SAME_ROW} AND {_MINE} AND {_CHANGED} RETURNING fact.day
"""  # noqa: S608
_INSERT_NEW = f"""
    INSERT INTO costs_costfact ({_COLUMN_LIST}) SELECT {_COLUMN_LIST} FROM staged
    WHERE NOT EXISTS (SELECT 1 FROM costs_costfact fact WHERE {_MINE} AND {_SAME_ROW}) RETURNING day
"""  # noqa: S608


def _merge(cursor: Any, window: Window, days: Sequence[_Day], counts: dict[dt.date, _Counts]) -> None:
    parameters = {
        "connection": window.connection_id,
        "source": window.source,
        "days": [day.day for day in days],
        "observed_at": window.observed_at,
    }
    cursor.execute(_KEEP_OLD, parameters)
    for statement, field in (
        (_DELETE_VANISHED, "removed"),
        (_UPDATE_CHANGED, "changed"),
        (_INSERT_NEW, "added"),
    ):
        cursor.execute(statement, parameters)
        for (day,) in cursor.fetchall():
            setattr(counts[day], field, getattr(counts[day], field) + 1)


def _copy(cursor: Any, table: str, window: Window, rows: Sequence[tuple[dt.date, CostRecord]]) -> None:
    # Django wraps what a statement raises, but COPY ends outside of its statement: a full disk or a deadlock
    # would arrive as psycopg's own error, which nobody above expects.
    with database.wrap_database_errors, cursor.copy(f"COPY {table} ({_COLUMN_LIST}) FROM STDIN") as copy:
        for day, record in rows:
            copy.write_row(
                (
                    window.connection_id,
                    window.source,
                    day,
                    row_key(record),
                    record.origin.value,
                    *(getattr(record, dimension) for dimension in DIMENSIONS),
                    json.dumps(dict(record.extra), sort_keys=True),
                    record.amount_usd,
                    record.list_amount_usd,
                    window.observed_at,
                )
            )


def _write_digests(window: Window, days: Sequence[_Day], revised: set[dt.date]) -> None:
    DayDigest.objects.bulk_create(
        [
            DayDigest(
                connection_id=window.connection_id,
                source=window.source,
                day=day.day,
                digest=day.digest,
                row_count=len(day.records),
                amount_usd=day.amount_usd,
                as_of=window.requested_at,
            )
            for day in days
        ],
        update_conflicts=True,
        unique_fields=["connection", "source", "day"],
        update_fields=["digest", "row_count", "amount_usd", "as_of"],
    )
    if revised:
        DayDigest.objects.filter(
            connection_id=window.connection_id, source=window.source, day__in=revised
        ).update(revised_at=window.observed_at)


def _write_restatements(
    window: Window, days: Sequence[_Day], stored: dict[dt.date, DayDigest], counts: dict[dt.date, _Counts]
) -> None:
    Restatement.objects.bulk_create(
        [
            Restatement(
                connection_id=window.connection_id,
                source=window.source,
                day=day.day,
                observed_at=window.observed_at,
                before_usd=stored[day.day].amount_usd,
                after_usd=day.amount_usd,
                rows_added=counts[day.day].added,
                rows_changed=counts[day.day].changed,
                rows_removed=counts[day.day].removed,
                was_provisional=_was_running(stored[day.day]),
                run_id=window.run_id,
            )
            for day in days
        ]
    )
