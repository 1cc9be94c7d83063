"""Processes are told apart by their command line, and in PostgreSQL by the name that they give."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from foundation import role


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/venv/bin/gunicorn", "config.wsgi:application"], "web"),
        (["/venv/lib/gunicorn/__main__.py", "config.wsgi:application"], "web"),
        (["/app/config/celery_main.py", "worker", "-Q", "ticks,lanes"], "worker"),
        (["/app/config/celery_main.py", "beat"], "beat"),
        (["/venv/bin/celery", "-A", "config.celery", "beat"], "beat"),
        (["/venv/bin/celery", "-A", "config.celery", "status"], "celery"),
        (["manage.py", "doctor", "--json"], "doctor"),
        (["manage.py"], "manage"),
        (["/venv/lib/pytest/__main__.py", "tests"], "pytest"),
        (["-c"], "-c"),
    ],
)
def test_name(argv, name):
    assert role.name_of(argv) == name


_ASK = """
import sys
sys.argv = sys.argv[1:]
import django; django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
    print(cursor.fetchone()[0])
"""


@pytest.mark.parametrize(
    ("argv", "given", "seen"),
    [
        (["/venv/bin/gunicorn"], {}, "tallystick web"),
        (["/app/config/celery_main.py", "worker"], {}, "tallystick worker"),
        (["manage.py", "doctor"], {}, "tallystick doctor"),
        (["manage.py", "doctor"], {"PGAPPNAME": "mine"}, "mine"),
    ],
)
def test_is_what_the_database_sees(db, argv, given, seen):
    answer = subprocess.run(
        [sys.executable, "-c", _ASK, *argv],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **given},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert answer.stdout.strip() == seen
