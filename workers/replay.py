"""Rebuild a connection's facts from its archived pages beside the stored ones, and prove both equal; asks nobody upstream.

Everything happens in one transaction on one snapshot: a sync that goes on meanwhile cannot make a difference,
and whatever ends the replay, kill -9 included, leaves nothing behind.
"""

import datetime as dt
import json
import secrets
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import F, Max, Model, Q

from costs import ingest, tables
from costs.models import ActivityFact, CostFact, DayDigest, Restatement, SupersededCost, UsageFact
from foundation.money import sum_usd
from foundation.periods import DayRange
from integrations.anthropic.report_specs import REPORT_SPECS, ParsedWindow
from integrations.errors import UpstreamError
from integrations.models import Connection
from workers import archive
from workers.archive import Archived, ArchiveError
from workers.models import SyncStep


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that replacing a window writes; `amount` is the column summed for people to compare, if it has one."""

    model: type[Model]
    amount: str | None
    has_row_keys: bool = True

    @property
    def name(self) -> str:
        return str(self.model._meta.db_table)


_TABLES = {
    "facts": _Table(CostFact, "amount_usd"),
    "superseded": _Table(SupersededCost, "amount_usd"),
    "usage": _Table(UsageFact, None),
    "activity": _Table(ActivityFact, "estimated_cost_usd"),
    "digests": _Table(DayDigest, "amount_usd", has_row_keys=False),
    "restatements": _Table(Restatement, "after_usd", has_row_keys=False),
}
# All that is read by day. Names are what upstream calls things now, and shares are worked out from these rows.
_REPORTS = [spec.name for spec in REPORT_SPECS.values() if spec.kind in tables.TABLES]
# A changed day is described by its first rows; its checksum covers all of them.
_ROWS_SHOWN = 5


class ReplayError(Exception):
    """Some windows cannot be read from the archive; `possible_from` is the first day none of them touches."""

    def __init__(self, problems: list[str], possible_from: dt.date) -> None:
        super().__init__(
            f"{len(problems)} windows cannot be read from the archive, the first one: {problems[0]}"
        )
        self.problems = problems
        self.possible_from = possible_from


@dataclass(frozen=True, slots=True)
class TableChecksum:
    """Rows, their exact sum in USD (0 where a table has no amounts), a SHA-256 over all columns but the surrogate key."""

    rows: int = 0
    amount_usd: Decimal = Decimal(0)
    checksum: str = sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Pair:
    """What is stored and what the replay made of the same days."""

    stored: TableChecksum
    replayed: TableChecksum

    @property
    def is_equal(self) -> bool:
        """True when the checksums agree."""
        return self.stored.checksum == self.replayed.checksum


@dataclass(frozen=True, slots=True)
class DifferentRow:
    """A row that only one side has; `side` is stored or replayed."""

    side: str
    row_key: str
    name: str
    amount_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A day whose rows differ in one table, with its first differing rows."""

    table: str
    day: dt.date
    pair: Pair
    rows: tuple[DifferentRow, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a replay found.

    Shape:   `days` and `totals` by table; `schema` is the scratch schema when it was kept, else None
    """

    windows: int
    days: dict[str, dict[dt.date, Pair]]
    totals: dict[str, Pair]
    differences: list[Difference]
    schema: str | None

    @property
    def is_equal(self) -> bool:
        """True when no day of any table differs."""
        return not self.differences


def replay(connection: Connection, *, since: dt.date = dt.date.min, keep: bool = False) -> Result:
    """
    Rebuild the facts from `since` on in a scratch schema and compare them with the stored ones.

    Shape:   windows are written in the order in which they were completed, so that history is rebuilt too
    Key:     changes nothing stored; the scratch schema is seen outside this transaction only with `keep`
    Raises:  ReplayError — a window that touches the days was pruned from the archive, or is damaged
    Effects: with `keep` a schema of the name in the result; needs the right to create one
    Checked by: tests/workers/test_replay.py
    """
    schema = f"replay_{secrets.token_hex(4)}"
    with transaction.atomic(durable=True):
        with database.cursor() as cursor:
            # Pages and facts of one moment: without it a window stored meanwhile would look like a difference.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        stored_in = _stored_schema()
        _create_scratch(schema)
        windows = _write_windows(connection, since)
        compared = _Comparison(connection, since, {"stored": stored_in, "replayed": schema})
        days = {table: compared.by_day(table) for table in _TABLES}
        result = Result(
            windows=windows,
            days=days,
            totals={table: _total(pairs) for table, pairs in days.items()},
            differences=[
                Difference(table, day, pair, compared.rows(table, day))
                for table, pairs in days.items()
                for day, pair in pairs.items()
                if not pair.is_equal
            ],
            schema=schema if keep else None,
        )
        # Rolled back, the schema never was: there is no clearing up that a crash could skip.
        transaction.set_rollback(not keep)
    return result


def _stored_schema() -> str:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = %s::regclass",
            [CostFact._meta.db_table],
        )
        schema: str = cursor.fetchone()[0]
    return schema


def _create_scratch(schema: str) -> None:
    """Put empty copies of the written tables first in the search path until the transaction ends."""
    with database.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
        for table in _TABLES.values():
            # With indexes and defaults, so that every conflict and constraint acts as it did; without foreign
            # keys, which LIKE leaves out.
            cursor.execute(f"CREATE TABLE {schema}.{table.name} (LIKE {table.name} INCLUDING ALL)")
        # Ingest names its tables without a schema: the copies shadow the stored ones, all else is found behind.
        cursor.execute(
            "SELECT set_config('search_path', %s || ', ' || current_setting('search_path'), true)", [schema]
        )


def _write_windows(connection: Connection, since: dt.date) -> int:
    """Write every completed window again, in the order of completion; return how many."""
    problems: dict[str, dt.date] = {}
    written = 0
    pages = Q(pages__attempt=F("attempt"))
    steps = (
        SyncStep.objects.filter(run__connection=connection, status=SyncStep.Status.DONE)
        .filter(report_name__in=_REPORTS, window_end__gt=since)
        .annotate(
            last_sequence=Max("pages__sequence", filter=pages), last_page=Max("pages__id", filter=pages)
        )
        # A window's last page is stored by the transaction that completes it, under the lock of its lane. So
        # the numbers of these pages tell the order even where the clock behind finished_at was set back.
        .order_by("last_page")
    )
    for step in steps:
        try:
            archived, reading = _read(step, step.last_sequence)
        except (ArchiveError, UpstreamError) as error:
            problems[f"{step} of {step.finished_at:%Y-%m-%d %H:%M} UTC: {error}"] = step.window_end
            continue
        if not problems:
            _write(connection, step, reading, since, as_of=archived.speaks_of(reading))
            written += 1
    if problems:
        raise ReplayError(list(problems), max(problems.values()))
    return written


def _read(step: SyncStep, last_sequence: int | None) -> tuple[Archived, ParsedWindow]:
    """Normalise the attempt that completed; the numbers of its pages show when one is missing."""
    archived = archive.read_back(step)
    if len(archived.bodies) != last_sequence:
        raise ArchiveError("some of its pages are no longer in the archive")
    days = DayRange(step.window_start, step.window_end)
    return archived, REPORT_SPECS[step.report_name].read(days, archived.bodies, archived.request_ids)


def _write(
    connection: Connection, step: SyncStep, reading: ParsedWindow, since: dt.date, *, as_of: dt.datetime
) -> None:
    days = frozenset(day for day in reading.covered if day >= since)
    # Facts were observed when their step was finished: both are one reading of the clock.
    assert step.finished_at is not None  # noqa: S101 - what a done step has
    window = ingest.Window(
        connection.pk, step.report_name, days, as_of, step.finished_at, step.run_id,
        tables.TABLES[REPORT_SPECS[step.report_name].kind], day_ends=reading.day_ends,
    )  # fmt: skip
    ingest.replace_window(window, [record for record in reading.records if record.day in days])


def _total(pairs: dict[dt.date, Pair]) -> Pair:
    return Pair(
        _sum({day: pair.stored for day, pair in pairs.items()}),
        _sum({day: pair.replayed for day, pair in pairs.items()}),
    )


def _sum(checksums: dict[dt.date, TableChecksum]) -> TableChecksum:
    lines = "".join(f"{day} {found.checksum}\n" for day, found in checksums.items() if found.rows)
    return TableChecksum(
        sum(found.rows for found in checksums.values()),
        sum_usd(found.amount_usd for found in checksums.values()),
        sha256(lines.encode("ascii")).hexdigest(),
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Reads both sides with the same SQL; names of schemas and tables are our own, never a person's."""

    connection: Connection
    since: dt.date
    schemas: dict[str, str]

    def by_day(self, table: str) -> dict[dt.date, Pair]:
        """TableChecksum each day that either side has, oldest first."""
        stored, replayed = (self._checksums(table, schema) for schema in self.schemas.values())
        return {
            day: Pair(stored.get(day, TableChecksum()), replayed.get(day, TableChecksum()))
            for day in sorted({*stored, *replayed})
        }

    def rows(self, table: str, day: dt.date) -> tuple[DifferentRow, ...]:
        """Return the day's first rows that only one side has; none for tables without row keys."""
        if not _TABLES[table].has_row_keys:
            return ()
        stored, replayed = (self._lines(table, schema) for schema in self.schemas.values())
        where: dict[str, Any] = {
            "connection": self.connection.pk,
            "since": day,
            "until": day,
            "rows": _ROWS_SHOWN,
            "sources": _REPORTS,
        }
        with database.cursor() as cursor:
            cursor.execute(
                f"""
                (SELECT 'stored', line FROM ({stored} EXCEPT ALL {replayed}) one ORDER BY line LIMIT %(rows)s)
                UNION ALL
                (SELECT 'replayed', line FROM ({replayed} EXCEPT ALL {stored}) other ORDER BY line LIMIT %(rows)s)
                """,  # noqa: S608
                where,
            )
            return tuple(_row(side, line, _TABLES[table].amount) for side, line in cursor.fetchall())

    def _checksums(self, table: str, schema: str) -> dict[dt.date, TableChecksum]:
        where: dict[str, Any] = {
            "connection": self.connection.pk, "since": self.since, "until": dt.date.max,
            "sources": _REPORTS,
        }  # fmt: skip
        with database.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT day, count(*), coalesce(sum(amount), 0),
                    encode(sha256(convert_to(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), 'UTF8')), 'hex')
                FROM ({self._lines(table, schema)}) lines GROUP BY day
                """,  # noqa: S608
                where,
            )
            return {
                day: TableChecksum(rows, amount, checksum)
                for day, rows, amount, checksum in cursor.fetchall()
            }

    def _lines(self, table: str, schema: str) -> str:
        written = _TABLES[table]
        # jsonb writes a row with its columns in one order and every digit of an amount. The surrogate key counts what
        # happened in between, version and first time of a digest which release read the day: none says anything about cost.
        return f"""
            SELECT day, {written.amount or "NULL::numeric"} AS amount, (to_jsonb(entry) - 'id' - 'version' - 'first_stored_at')::text AS line
            FROM {schema}.{written.name} entry
            WHERE connection_id = %(connection)s AND day BETWEEN %(since)s AND %(until)s
            AND source = ANY(%(sources)s)
        """  # noqa: S608


def _row(side: str, line: str, amount: str | None) -> DifferentRow:
    row = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    known = (row.get(column) for column in ("description", "model", "cost_type", "actor_id"))
    name = next((each for each in known if each), "no description")
    return DifferentRow(side, row["row_key"].removeprefix("\\x"), name, row[amount] if amount else None)
