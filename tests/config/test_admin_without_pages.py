"""Worker and beat know every table and import no page."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.apps import apps

# What Celery's own start does, up to the point where it would reach for the broker.
_START = """
import json, sys
sys.argv[0] = sys.argv[1]
from celery.fixups.django import DjangoWorkerFixup
from config.celery import app
DjangoWorkerFixup(app).validate_models()
app.loader.import_default_modules()
from django.apps import apps
print(json.dumps([sorted(sys.modules), sorted(each._meta.label for each in apps.get_models()), sorted(app.tasks)]))
"""


@pytest.mark.parametrize(
    "program", ["/somewhere/config/celery_main.py", "/somewhere/bin/celery", "/somewhere/celery/__main__.py"]
)
def test_knows_every_table_and_imports_no_page(program):
    ended = subprocess.run(
        [sys.executable, "-c", _START, program], check=True, capture_output=True, text=True
    )

    imported, tables, tasks = json.loads(ended.stdout)
    assert tables == sorted(each._meta.label for each in apps.get_models())
    assert "workers.run_lane" in tasks
    pages = ("config.urls", "rest_framework.views", "dashboard.views", "workers.admin", "accounts.admin")
    assert [name for name in imported if name.startswith(pages)] == []


# Text, because only that would be coloured.
_PROGRAM = """
import sys
from config import celery_main
sys.argv[0] = celery_main.__file__
import django, structlog
django.setup()
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("workers").exception("went_wrong")
print(" ".join(sys.modules), *celery_main.main.commands)
"""


def test_program_leaves_out_what_terminals_show_and_still_logs_tracebacks():
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "LOG_FORMAT": "text"},
    )

    known = ended.stdout.split()
    assert [name for name in known if name.startswith(("rich.", "prompt_toolkit"))] == []
    assert {"worker", "beat"} == set(known[-2:])
    assert "went_wrong" in ended.stderr
    assert "ZeroDivisionError: division by zero" in ended.stderr
