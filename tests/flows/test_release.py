"""What a machine with servers of its own runs before web, worker and beat, and what those do until then."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection as database

from tests.flows.conftest import eventually

pytestmark = pytest.mark.flow

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty(engine) -> Iterator[str]:
    """The address of a database without a table."""
    name = f"{database.settings_dict['NAME']}_empty"
    with database.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    yield engine.environment["DATABASE_URL"].replace(database.settings_dict["NAME"], name)
    engine.stop()
    with database.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def release(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "release"],
        cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_makes_an_empty_database_ready_for_the_worker_that_waits(engine, empty):
    worker = engine.worker(DATABASE_URL=empty)
    eventually(lambda: "waiting_for_migrations" in engine.read_logs(), "the worker waits")

    released = release({**engine.environment, "DATABASE_URL": empty, "LOG_LEVEL": "ERROR"})
    out, told = released.communicate(timeout=120)

    events = [json.loads(line)["event"] for line in told.splitlines()]
    assert (released.returncode, out) == (0, "")
    assert [each for each in events if re.match(r"Sign in as \S+ with password \S+$", each)]
    assert events[-1] == "The database is ready for this release."
    eventually(lambda: "ready." in engine.read_logs(), "the worker works")
    assert worker.poll() is None


def test_stays_beside_the_others_of_a_procfile(engine):
    """Honcho ends everything when one of its processes ends."""
    released = release({**engine.environment, "HONCHO_PROCESS_NAME": "release.1"})
    told = next(line for line in released.stderr if "staying" in line)

    released.send_signal(signal.SIGTERM)

    assert (released.wait(30), json.loads(told)["level"]) == (128 + signal.SIGTERM, "info")
    released.communicate()
