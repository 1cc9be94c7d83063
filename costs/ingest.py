"""Replace a window of facts as a whole: insert, update, delete and record what changed, or touch nothing.

Knows records and tables, not where they came from. The caller holds the transaction and, by its lane, the
only right to write this connection's report; nothing here commits.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection as database

from costs import changes
from costs.changes import Change
from costs.models import DayDigest, Restatement
from costs.records import DIGEST_VERSION, CostRecord, Record, digest_of_merged, merge_equal_keys, row_key
from costs.tables import COSTS, FactTable
from foundation.money import sum_usd
from foundation.periods import day_start


@dataclass(frozen=True, slots=True)
class Window:
    """What is replaced: the days of one report of one connection that an answer covers.

    `as_of` is the moment the answer speaks of: when its first request started, or where upstream's data ends.
    `day_ends` is where a day of it ends earlier than that; it says nothing of the other days.
    What is derived from stored rows restates nothing by itself.
    """

    connection_id: UUID
    source: str
    days: frozenset[dt.date]
    as_of: dt.datetime
    observed_at: dt.datetime
    run_id: UUID | None = None
    table: FactTable = COSTS
    is_derived: bool = False
    day_ends: Mapping[dt.date, dt.datetime] = field(default_factory=dict)

    def known_by(self, day: dt.date) -> dt.datetime:
        """Return the moment up to which the answer tells of a day."""
        return min(self.as_of, self.day_ends.get(day, self.as_of))


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
    records: list[Record]
    digest: bytes
    amount_usd: Decimal | None


def replace_window(window: Window, records: Iterable[Record]) -> Ingested:
    """
    Make the stored facts of the window equal to the records.

    Shape:   0..n records; a day of the window without any is a day without cost, and is stored as such
    Key:     (connection, source, day, row key); the same records again write no fact
    Raises:  ValueError — a record outside the window or of another source (a bug in the caller)
    Effects: facts and day digests, of costs also superseded versions, inside the caller's transaction; a restatement
             where money or counts changed. A day told in other words is written without one
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
        day
        for day in asked.values()
        if day.day not in stored or stored[day.day].as_of <= window.known_by(day.day)
    ]
    told = {day.day: _tell(window, day, stored.get(day.day)) for day in fresh}
    written = [day for day in fresh if told[day.day] is not Change.NONE]
    changed = [day for day in written if told[day.day] is Change.MONEY]
    counts = _write_days(window, written, any_stored=any(day.day in stored for day in written))
    # A day that was read while it still ran was bound to change; that is no revision.
    revised = {day.day for day in changed if day.day in stored and not _was_running(stored[day.day])}
    _write_digests(window, fresh, revised)
    if window.table.history and not window.is_derived:
        _write_restatements(window, [day for day in changed if day.day in stored], stored, counts)
    counted = [counts[day.day] for day in changed]
    rows, moved = (
        sum(len(day.records) for day in fresh),
        sum(each.added + each.changed for each in counted),
    )
    return Ingested(
        added=sum(each.added for each in counted),
        changed=sum(each.changed for each in counted),
        removed=sum(each.removed for each in counted),
        unchanged=rows - moved,
        days_changed=tuple(day.day for day in changed),
    )


def _tell(window: Window, day: _Day, stored: DayDigest | None) -> Change:
    """Say what is new about a day; its rows are read only where its digest and its total leave that open."""
    if stored is None:
        return Change.MONEY
    if stored.version == DIGEST_VERSION and bytes(stored.digest) == day.digest:
        return Change.NONE
    # A day that ran on is no revision whatever changed, and only costs keep a history of it.
    is_of_no_matter = stored.version == DIGEST_VERSION and not window.table.history and _was_running(stored)
    if stored.amount_usd != day.amount_usd or is_of_no_matter:
        return Change.MONEY
    facts = window.table.fact._default_manager.filter(  # noqa: SLF001 - the way to a manager of any of the tables
        connection_id=window.connection_id, source=window.source, day=day.day
    )
    before = window.table.read(facts)
    if changes.is_same(before, {row_key(record): record for record in day.records}):
        return Change.NONE
    return changes.tell([row.record for row in before], day.records)


def _by_day(window: Window, records: Iterable[Record]) -> dict[dt.date, _Day]:
    grouped: dict[dt.date, list[Record]] = {day: [] for day in sorted(window.days)}
    for record in merge_equal_keys(records):
        if record.day not in grouped or record.source != window.source:
            raise ValueError(f"record of {record.source} {record.day} does not belong to {window}")
        grouped[record.day].append(record)
    return {
        day: _Day(day, rows, digest_of_merged(rows), _total(window, rows)) for day, rows in grouped.items()
    }


def _total(window: Window, rows: Iterable[Record]) -> Decimal | None:
    if window.table is not COSTS:
        return None
    return sum_usd(row.amount_usd for row in rows if isinstance(row, CostRecord))


def _was_running(digest: DayDigest) -> bool:
    return digest.as_of < day_start(digest.day) + dt.timedelta(days=1)


@dataclass(slots=True)
class _Counts:
    added: int = 0
    changed: int = 0
    removed: int = 0


def _write_days(window: Window, days: Sequence[_Day], *, any_stored: bool) -> dict[dt.date, _Counts]:
    counts: dict[dt.date, _Counts] = defaultdict(_Counts)
    rows = [record for day in days for record in day.records]
    with database.cursor() as cursor:
        if not any_stored:
            # Nothing can be there to compare with (every stored day has a digest): copy straight in.
            _copy(cursor, window.table.name, window, rows)
            for day in days:
                counts[day.day].added = len(day.records)
            return counts
        cursor.execute(
            f"CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {', '.join(window.table.columns)} "  # noqa: S608 - our own names
            f"FROM {window.table.name} WITH NO DATA"
        )
        _copy(cursor, "staged", window, rows)
        _merge(cursor, window, days, counts)
        cursor.execute("DROP TABLE staged")
    return counts


_SAME_ROW = "staged.day = fact.day AND staged.row_key = fact.row_key"
_MINE = "fact.connection_id = %(connection)s AND fact.source = %(source)s AND fact.day = ANY(%(days)s)"


@dataclass(frozen=True, slots=True)
class _Statements:
    """The comparison of staged and stored rows; each but the first reports the days it touched.

    The order matters: what is overwritten or deleted is kept in the history first, from the very rows that the
    next statement takes away. A changed row keeps its key, so only its values differ between versions.
    """

    keep_old: str | None
    delete_vanished: str
    update_changed: str
    reword: str
    insert_new: str


@cache
def _statements(table: FactTable) -> _Statements:
    columns = ", ".join(table.columns)
    stored, staged = (", ".join(f"{side}.{value}" for value in table.values) for side in ("fact", "staged"))
    changed = f"({stored}) IS DISTINCT FROM ({staged})"
    values = ", ".join(f"{value} = staged.{value}" for value in (*table.values, "extra", "observed_at"))
    keep_old = f"""
        INSERT INTO {table.history_name} ({columns}, superseded_at)
        SELECT {", ".join(f"fact.{column}" for column in table.columns)}, %(observed_at)s
        FROM {table.name} fact LEFT JOIN staged ON {_SAME_ROW}
        WHERE {_MINE} AND (staged.row_key IS NULL OR {changed})
    """  # noqa: S608 - names of tables and columns are our own, here and below
    return _Statements(
        keep_old=keep_old if table.history else None,
        delete_vanished=f"""
            DELETE FROM {table.name} fact WHERE {_MINE}
            AND NOT EXISTS (SELECT 1 FROM staged WHERE {_SAME_ROW}) RETURNING fact.day
        """,  # noqa: S608
        update_changed=f"""
            UPDATE {table.name} fact SET {values} FROM staged
            WHERE {_SAME_ROW} AND {_MINE} AND {changed} RETURNING fact.day
        """,  # noqa: S608
        # No other version: the same values, with other fields that we do not know beside them.
        reword=f"""
            UPDATE {table.name} fact SET extra = staged.extra FROM staged
            WHERE {_SAME_ROW} AND {_MINE} AND fact.extra IS DISTINCT FROM staged.extra
        """,  # noqa: S608
        insert_new=f"""
            INSERT INTO {table.name} ({columns}) SELECT {columns} FROM staged
            WHERE NOT EXISTS (SELECT 1 FROM {table.name} fact WHERE {_MINE} AND {_SAME_ROW}) RETURNING day
        """,  # noqa: S608
    )


def _merge(cursor: Any, window: Window, days: Sequence[_Day], counts: dict[dt.date, _Counts]) -> None:
    parameters = {
        "connection": window.connection_id,
        "source": window.source,
        "days": [day.day for day in days],
        "observed_at": window.observed_at,
    }
    statements = _statements(window.table)
    if statements.keep_old:
        cursor.execute(statements.keep_old, parameters)
    cursor.execute(statements.reword, parameters)
    for statement, count in (
        (statements.delete_vanished, "removed"),
        (statements.update_changed, "changed"),
        (statements.insert_new, "added"),
    ):
        cursor.execute(statement, parameters)
        for (day,) in cursor.fetchall():
            setattr(counts[day], count, getattr(counts[day], count) + 1)


def _copy(cursor: Any, target: str, window: Window, rows: Iterable[Record]) -> None:
    columns = ", ".join(window.table.columns)
    # Django wraps what a statement raises, but COPY ends outside of its statement: a full disk or a deadlock
    # would arrive as psycopg's own error, which nobody above expects.
    with database.wrap_database_errors, cursor.copy(f"COPY {target} ({columns}) FROM STDIN") as copy:
        for record in rows:
            copy.write_row(
                (
                    window.connection_id,
                    window.source,
                    record.day,
                    row_key(record),
                    record.origin.value,
                    *window.table.row(record),
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
                version=DIGEST_VERSION,
                row_count=len(day.records),
                amount_usd=day.amount_usd,
                as_of=window.known_by(day.day),
                first_stored_at=window.observed_at,
            )
            for day in days
        ],
        update_conflicts=True,
        unique_fields=["connection", "source", "day"],
        # Not when it was first stored: that stays.
        update_fields=["digest", "version", "row_count", "amount_usd", "as_of"],
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
                before_usd=stored[day.day].amount_usd or 0,
                after_usd=day.amount_usd or 0,
                rows_added=counts[day.day].added,
                rows_changed=counts[day.day].changed,
                rows_removed=counts[day.day].removed,
                was_provisional=_was_running(stored[day.day]),
                run_id=window.run_id,
            )
            for day in days
        ]
    )
