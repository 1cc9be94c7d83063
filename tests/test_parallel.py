"""Several pytest processes on the same servers: who runs what, and on which Redis database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parallel import moved_database

PROJECT = Path(__file__).resolve().parents[1]
_NOTE = """
import os, pathlib, pytest
@pytest.mark.parametrize("number", range(8))
def test_note(number):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with pathlib.Path("notes").open("a") as notes:
        notes.write(f"{worker} {os.environ['REDIS_URL']}\\n")
"""
_OPTIONS = """
[tool.pytest.ini_options]
testpaths = ["suite"]
addopts = "-p tests.parallel -p no:django -p no:cacheprovider"
"""


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        ("redis://h:6379/0", "redis://h:6379/2"),
        ("redis://:secret@h", "redis://:secret@h/2"),
        ("rediss://u:s@h/3?ssl_cert_reqs=none", "rediss://u:s@h/5?ssl_cert_reqs=none"),
        ("redis://h?db=1", "redis://h?db=3"),
        ("unix:///run/valkey.sock?db=0", "unix:///run/valkey.sock?db=2"),
        ("unix://:secret@/run/valkey.sock", "unix://:secret@/run/valkey.sock?db=2"),
    ],
)
def test_each_process_has_a_redis_database_of_its_own(given, moved):
    assert moved_database(given, 2) == moved


@pytest.fixture
def run(tmp_path):
    """Run a suite of one file with the arguments; return the set of (process, Redis address) that ran a test."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite/test_note.py").write_text(_NOTE)
    (tmp_path / "pyproject.toml").write_text(_OPTIONS)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ = {**inherited, "PYTHONPATH": str(PROJECT), "REDIS_URL": "redis://h/4"}

    def start(*arguments):
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert re.search(r"^=+ 8 passed in .* =+\n\Z", ended.stdout, re.MULTILINE), ended.stdout
        return {tuple(line.split()) for line in (tmp_path / "notes").read_text().splitlines()}

    return start


def test_whole_suite_runs_in_several_processes(run):
    assert run() >= {("gw0", "redis://h/4"), ("gw1", "redis://h/5")}


@pytest.mark.parametrize("selection", [["suite/test_note.py"], ["-k", "note"], ["-n", "0"], ["-s"]])
def test_selection_runs_in_one(run, selection):
    assert run(*selection) == {("alone", "redis://h/4")}
