"""Which rows of lanes and connections a piece of code locks, in which order; and what of it is out of order.

Everybody locks lanes (by id) before the connection, and writes what belongs to a connection under its lock only
(workers/__init__.py). What is recorded are the statements themselves, whoever wrote them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection as database

LANES, CONNECTIONS, BELONGINGS = "lanes", "connections", "belongings"
_TABLES = {"workers_lane": LANES, "integrations_connection": CONNECTIONS}

_LOCKING_CLAUSE = re.compile(r"\bFOR\s+(NO KEY )?UPDATE\b")
_SELECT = re.compile(
    r"^\s*SELECT\s.*?\sFROM\s+(?P<rest>\"?(?P<table>\w+)\"?.*?\bFOR (NO KEY )?UPDATE"
    r"(?P<of> OF (?P<only>[\w\", ]+?))?(?P<skip> SKIP LOCKED)?)\s*$",
    re.DOTALL,
)
_UPDATE = re.compile(
    r"^\s*UPDATE\s+\"?(?P<table>\w+)\"?(?:\s+(?P<alias>(?!SET\b)\w+))?\s+SET\s(?P<set>.*?)"
    r"(?:\sFROM\s(?P<from>unnest\(.*?))?\sWHERE\s(?P<where>.*?)(?:\sRETURNING\s.*)?$",
    re.DOTALL,
)
_DELETE = re.compile(r"^\s*DELETE\s+FROM\s+\"?(?P<table>\w+)\"?(?P<rest>\s.*)$", re.DOTALL)
_INSERT = re.compile(r"^\s*INSERT\s+INTO\s+\"?(?P<table>\w+)\"?")
_BELONGING = re.compile(
    r"^\s*((INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+\"?costs_|(UPDATE|DELETE\s+FROM)\s+\"?integrations_report\b)"
)


@dataclass(frozen=True, slots=True)
class Locked:
    """What one statement locked: the rows in the order in which it came to them."""

    what: str
    ids: tuple[Any, ...] = ()
    waits: bool = True
    is_sorted: bool = True


class LockLog:
    """The locks of each transaction, in the order of its statements."""

    def __init__(self) -> None:
        self.transactions: dict[int, list[Locked]] = defaultdict(list)
        self._is_looking = False

    @property
    def kinds(self) -> set[str]:
        """What was locked or written at all."""
        return {locked.what for taken in self.transactions.values() for locked in taken}

    @property
    def disorder(self) -> list[str]:
        """Say what is out of order; nothing when all is well."""
        return [told for taken in self.transactions.values() for told in _disorder(taken)]

    def note(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Stand around each statement of the session (`execute_wrapper`)."""
        if self._is_looking:
            return execute(sql, params, many, context)
        self._is_looking = True
        try:
            locked = _read(sql, params)
            answer = execute(sql, params, many, context)
            if locked:
                self.transactions[_ask("SELECT txid_current()")[0]].append(locked)
            return answer
        finally:
            self._is_looking = False


@contextmanager
def locks_taken() -> Iterator[LockLog]:
    """Record what this session locks meanwhile."""
    log = LockLog()
    with database.execute_wrapper(log.note):
        yield log


def _disorder(taken: list[Locked]) -> Iterator[str]:
    held: set[Any] = set()
    connections: set[Any] = set()
    has_connection = False
    for locked in taken:
        if locked.what == BELONGINGS and not has_connection:
            yield "what belongs to a connection is written before the connection is locked"
        if locked.what == LANES and not locked.is_sorted and len(set(locked.ids) - held) > 1:
            yield f"lanes {locked.ids} are locked in no order"
        has_connection = has_connection or locked.what == CONNECTIONS
        for connection in locked.ids if locked.what == CONNECTIONS else ():
            if connection not in connections and any(connection < other for other in connections):
                yield f"connection {connection} is locked after {max(connections)}"
            connections.add(connection)
        for lane in locked.ids if locked.what == LANES else ():
            if locked.waits and lane not in held and has_connection:
                yield f"lane {lane} is locked after the connection"
            if locked.waits and lane not in held and held and lane < max(held):
                yield f"lane {lane} is locked after lane {max(held)}"
            held.add(lane)


def _read(sql: str, params: Any) -> Locked | None:
    """Work out, before it is executed, what a statement is going to lock."""
    if _BELONGING.match(sql):
        return Locked(BELONGINGS)
    if found := _SELECT.match(sql):
        return _read_select(sql, params, found)
    if _LOCKING_CLAUSE.search(sql):
        raise AssertionError(f"nobody knows what this locks: {sql}")
    if found := _UPDATE.match(sql):
        return _read_update(params, found)
    if (found := _DELETE.match(sql)) and (what := _TABLES.get(found["table"])):
        return Locked(what, tuple(_ask(f"SELECT id FROM {found['table']}{found['rest']}", params)))  # noqa: S608
    if (found := _INSERT.match(sql)) and found["table"] == "integrations_connection":
        return Locked(CONNECTIONS)
    return None


def _read_select(sql: str, params: Any, found: re.Match[str]) -> Locked | None:
    tables = re.findall(r"\w+", found["only"]) if found["of"] else [found["table"]]
    if not found["of"] and " JOIN " in sql:
        raise AssertionError(f"it locks the rows of every table it names: {sql}")
    known = [table for table in tables if table in _TABLES]
    if not known:
        return None
    ids = _ask(f"SELECT {known[0]}.id FROM {found['rest']}", params)  # noqa: S608
    return Locked(_TABLES[known[0]], tuple(ids), waits=not found["skip"], is_sorted="ORDER BY" in sql)


def _read_update(params: Any, found: re.Match[str]) -> Locked | None:
    what = _TABLES.get(found["table"])
    if what is None:
        return None
    others = f", {found['from']}" if found["from"] else ""
    alias = found["alias"] or found["table"]
    rest = list(params or ())[found["set"].count("%s") :]
    asked = f"SELECT {alias}.id FROM {found['table']} {alias}{others} WHERE {found['where']}"  # noqa: S608
    return Locked(what, tuple(_ask(asked, rest)), is_sorted=False)


def _ask(sql: str, params: Any = None) -> list[Any]:
    with database.cursor() as cursor:
        cursor.execute(sql, params)
        return [value for (value,) in cursor.fetchall()]
