"""What writing costs: plain COPY, a replaced window, Django's upsert, and a bare write transaction of 8 threads.

Import only on a prepared ground (devtools/bench/ground.py).
"""

import datetime as dt
import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal

import psycopg
from django.db import connection as database
from django.db import transaction

from costs.ingest import Window, replace_window
from costs.models import CostFact
from costs.records import DIMENSIONS, CostRecord, Origin, row_key
from devtools.bench.figures import Figure, median, timed
from integrations.models import Connection

ROWS = 1000
_DAYS = 10
_COLUMNS = (
    "connection_id", "source", "day", "row_key", "origin", *DIMENSIONS,
    "extra", "amount_usd", "list_amount_usd", "observed_at",
)  # fmt: skip
_TYPES = ["uuid", "text", "date", "bytea", "text", *["text"] * len(DIMENSIONS), "jsonb", "numeric", "numeric",
          "timestamptz"]  # fmt: skip
_NOW = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
_THREADS = 8
_STEP_ROWS = 100


def records(rows: int, *, first_day: dt.date, cents: int = 0) -> list[CostRecord]:
    """Make rows like those of a cost report, spread over the days of a window; `cents` varies the amounts."""
    return [
        CostRecord(
            day=first_day + dt.timedelta(days=number % _DAYS),
            origin=Origin.CLAUDE_PLATFORM,
            source="cost_report",
            amount_usd=Decimal(f"{number}.{number % 97:02d}{cents:02d}4839"),
            workspace_id=f"wrkspc_01{number // _DAYS % 12:022d}",
            product="claude",
            model=f"claude-sonnet-4-{number // _DAYS % 7}",
            token_type="output_tokens" if number // _DAYS % 2 else "uncached_input_tokens",
            cost_type="tokens",
            service_tier="standard",
            context_window="0-200k",
            inference_geo="global",
            description=f"Claude Sonnet usage, item {number}",
        )
        for number in range(rows)
    ]


def plain_rows(connection_id: uuid.UUID, found: Sequence[CostRecord]) -> list[tuple[object, ...]]:
    """Turn records into table rows ahead of time: a plain COPY pays for no key and no comparison."""
    return [
        (
            connection_id, each.source, each.day, row_key(each), each.origin.value,
            *(getattr(each, name) for name in DIMENSIONS),
            json.dumps(dict(each.extra)), each.amount_usd, each.list_amount_usd, _NOW,
        )
        for each in found
    ]  # fmt: skip


def page_writes(connection: Connection, rounds: int) -> list[Figure]:
    """Measure a page of 1,000 rows each way, all ways in every round, each with its commit."""
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_heap (LIKE costs_costfact INCLUDING DEFAULTS)")
        cursor.execute("ALTER TABLE bench_heap DROP COLUMN id")
    taken: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        ways = _ways(connection, dt.date(2000, 1, 1) + dt.timedelta(days=number * _DAYS * 2))
        for name, work in ways.items():
            seconds = timed(work)
            if number:  # the first round warms connections, plans and caches
                taken.setdefault(name, []).append(seconds)
    return _page_figures(taken)


def _page_figures(taken: dict[str, list[float]]) -> list[Figure]:
    def milliseconds(title: str, name: str, note: str = "") -> Figure:
        return Figure(title, median(taken[name]) * 1000, "ms", note=note)

    def against(title: str, one: str, other: str, goal: float | None) -> Figure:
        # Round by round, so that a neighbour's load in one round touches both sides of its ratio.
        return Figure(
            title, median([a / b for a, b in zip(taken[one], taken[other], strict=True)]), "×", goal
        )

    return [
        milliseconds("plain binary COPY, unindexed, 1,000 rows", "binary", "the limit"),
        milliseconds("plain text COPY, unindexed", "text"),
        milliseconds("replace_window, empty window", "empty window"),
        against("  … of plain COPY", "binary", "empty window", 0.40),
        milliseconds(
            "replace_window, full window, every row changed", "full window", "keeps the 1,000 old rows too"
        ),
        against("  … of plain COPY", "binary", "full window", 0.40),
        milliseconds("replace_window, full window unchanged", "unchanged window", "recognised by digest"),
        against("  … of plain COPY", "binary", "unchanged window", None),
        milliseconds("Django bulk_create, new rows", "upsert of new rows"),
        against("  … against replace_window", "upsert of new rows", "empty window", 5.0),
        milliseconds("Django bulk_create, every row changed", "upsert of changed rows"),
        against("  … against replace_window", "upsert of changed rows", "full window", 5.0),
    ]


def _ways(connection: Connection, first_day: dt.date) -> dict[str, Callable[[], object]]:
    # Each way gets records of its own: a record remembers its key, and no way may profit from another's work.
    fresh, changed, same = (records(ROWS, first_day=first_day, cents=cents) for cents in (0, 7, 7))
    rows = plain_rows(connection.pk, records(ROWS, first_day=first_day))
    days = frozenset(first_day + dt.timedelta(days=offset) for offset in range(_DAYS))
    other_day = first_day + dt.timedelta(days=_DAYS)
    other = [records(ROWS, first_day=other_day, cents=cents) for cents in (0, 7)]

    def replace(found: list[CostRecord], minutes: int) -> Callable[[], None]:
        at = _NOW + dt.timedelta(minutes=minutes)

        def write() -> None:
            with transaction.atomic():
                replace_window(Window(connection.pk, "cost_report", days, at, at), found)

        return write

    return {
        "binary": lambda: _copy(rows, binary=True),
        "text": lambda: _copy(rows, binary=False),
        "empty window": replace(fresh, 0),
        "full window": replace(changed, 1),
        "unchanged window": replace(same, 2),
        "upsert of new rows": lambda: _upsert(connection, other[0]),
        "upsert of changed rows": lambda: _upsert(connection, other[1]),
    }


def _copy(rows: Sequence[tuple[object, ...]], *, binary: bool) -> None:
    columns = ", ".join(_COLUMNS)
    with transaction.atomic(), database.cursor() as cursor:
        form = "(FORMAT binary)" if binary else ""
        with cursor.copy(f"COPY bench_heap ({columns}) FROM STDIN {form}") as copy:
            if binary:
                copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)


def _upsert(connection: Connection, found: Sequence[CostRecord]) -> None:
    with transaction.atomic():
        CostFact.objects.bulk_create(
            [
                CostFact(
                    connection_id=connection.pk, source=each.source, day=each.day, row_key=row_key(each),
                    origin=each.origin.value, extra=dict(each.extra), amount_usd=each.amount_usd,
                    list_amount_usd=each.list_amount_usd, observed_at=_NOW,
                    **{name: getattr(each, name) for name in DIMENSIONS},
                )
                for each in found
            ],
            update_conflicts=True,
            unique_fields=["connection", "source", "day", "row_key"],
            update_fields=["amount_usd", "list_amount_usd", "observed_at"],
        )  # fmt: skip


class BareTransactions:
    """Delete and COPY 100 rows and move a cursor, on the facts' own table shape, 8 threads, psycopg alone."""

    def __init__(self) -> None:
        with database.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS bench_fact (LIKE costs_costfact INCLUDING ALL)")
            cursor.execute("CREATE TABLE IF NOT EXISTS bench_cursor (id int PRIMARY KEY, position bigint)")
            cursor.execute(
                "INSERT INTO bench_cursor SELECT number, 0 FROM generate_series(1, %s) number", [_THREADS]
            )
        self._windows = [self._window(uuid.UUID(int=thread + 1)) for thread in range(_THREADS)]
        self._connections = [_own_connection() for _ in range(_THREADS)]

    def per_second(self, seconds: float) -> float:
        """Run for so long and give the commits of all threads per second."""
        counts = [0] * _THREADS
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._write, args=(number, end, counts)) for number in range(_THREADS)
        ]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / (time.monotonic() - begun)

    def close(self) -> None:
        """Close the threads' connections."""
        for each in self._connections:
            each.close()

    def _window(self, connection_id: uuid.UUID) -> tuple[uuid.UUID, list[dt.date], list[tuple[object, ...]]]:
        found = records(_STEP_ROWS, first_day=dt.date(2026, 11, 1))
        return connection_id, sorted({each.day for each in found}), plain_rows(connection_id, found)

    def _write(self, number: int, end: float, counts: list[int]) -> None:
        connection = self._connections[number]
        connection_id, days, rows = self._windows[number]
        copy_in = f"COPY bench_fact ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT binary)"
        while time.monotonic() < end:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(
                    "DELETE FROM bench_fact WHERE connection_id = %s AND source = 'cost_report' AND day = ANY(%s)",
                    [connection_id, days],
                )
                with cursor.copy(copy_in) as copy:
                    copy.set_types(_TYPES)
                    for row in rows:
                        copy.write_row(row)
                cursor.execute("UPDATE bench_cursor SET position = position + 1 WHERE id = %s", [number + 1])
            counts[number] += 1


def _own_connection() -> psycopg.Connection[tuple[object, ...]]:
    given = database.settings_dict
    return psycopg.connect(host=given["HOST"], dbname=given["NAME"], user=given["USER"])
