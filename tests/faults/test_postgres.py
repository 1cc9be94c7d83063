"""Row 5 of the matrix: PostgreSQL killed, its sessions ended, read-only, locked, failing, full."""

from __future__ import annotations

import time

import pytest

from tests.faults.lab import IS_FULL, Lab, long_form
from tests.faults.verdict import judge

pytestmark = pytest.mark.faults


def test_killed_and_restarted(lab: Lab) -> None:
    """Row 5: kill -9 of the postmaster in the middle; each window is whole or absent."""
    lab.run_engine()
    connection = lab.connect(size="medium")
    for pages in (2, 5):
        lab.until_pages(pages)
        lab.servers.postgres.kill()
        lab.servers.postgres.restart()
        lab.note_recovery("PostgreSQL killed and restarted: going on after its start")

    judge(lab, connection)


def test_sessions_ended_by_an_operator(lab: Lab) -> None:
    """Row 5: pg_terminate_backend of every session, again and again."""
    lab.run_engine()
    connection = lab.connect()
    for _ in range(20 if IS_FULL else 6):
        lab.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")  # fmt: skip
        time.sleep(lab.chance.uniform(0.1, 0.7))
    lab.note_recovery("every database session ended: going on")

    judge(lab, connection)


def test_read_only_for_some_seconds(lab: Lab) -> None:
    """Row 5: every new transaction is read-only, as on a standby that was not promoted yet."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    with lab.session() as session:
        session.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        session.execute("SELECT pg_reload_conf()")
        time.sleep(15 if IS_FULL else 5)
        session.execute("ALTER SYSTEM RESET default_transaction_read_only")
        session.execute("SELECT pg_reload_conf()")
    lab.note_recovery("database read-only: going on after it can be written")

    judge(lab, connection)


def test_table_locked_by_an_operator(lab: Lab) -> None:
    """Row 5: ACCESS EXCLUSIVE on the facts for longer than a lease; the writer waits, nobody else takes its lane."""
    lab.run_engine(workers=2)
    connection = lab.connect()
    lab.until_pages(2)
    with lab.session() as session, session.transaction():
        session.execute("LOCK TABLE costs_costfact IN ACCESS EXCLUSIVE MODE")
        time.sleep(15 if IS_FULL else 6)
    lab.note_recovery("facts locked by an operator: going on after the lock")

    judge(lab, connection)


def failed(lab: Lab, name: str) -> int:
    """Let the waits between the tries pass, and say how many there were."""
    lab.hurry()
    return lab.log("worker-1").count(f"lab: {name}")


@pytest.mark.parametrize(
    ("code", "name", "times"),
    [
        ("40001", "serialization failure", 1),
        pytest.param("40P01", "deadlock", 1, marks=long_form),
        ("53100", "disk full", 6),
    ],
)
def test_writes_that_fail(lab: Lab, code: str, name: str, times: int) -> None:
    """Row 5: the write of facts fails with this SQLSTATE so often, then works; nobody helps, no run is given up."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    # A row trigger, because COPY fires it too: the error comes where PostgreSQL itself would raise it.
    lab.rows(
        "CREATE FUNCTION lab_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'lab: {name}' USING ERRCODE = '{code}'; END $$"
    )
    lab.rows(
        "CREATE TRIGGER lab_refuse BEFORE INSERT ON costs_costfact FOR EACH ROW EXECUTE FUNCTION lab_refuse()"
    )
    try:
        lab.eventually(lambda: failed(lab, name) >= times, f"the write fails {times} times")
    finally:
        lab.rows("DROP FUNCTION lab_refuse CASCADE")
    if not IS_FULL:
        lab.hurry()
    lab.note_recovery(f"{name} on write: going on after it")

    judge(lab, connection)
