"""Whatever a process that serves writes is one JSON object a line: from its start to its end, and when it cannot start."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import eventually
from tests.ports import free_port

pytestmark = pytest.mark.flow


def start(engine, kind: str, **environment: str):
    return engine.web(free_port(), **environment) if kind == "web" else getattr(engine, kind)(**environment)


def events(folder: Path) -> list[Any]:
    (log,) = folder.glob("*.log")
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("kind", "words"),
    [("web", "Booting worker with pid"), ("worker", "ready."), ("beat", "beat: Starting")],
)
def test_from_the_first_line_to_the_last(engine, tmp_path, kind, words):
    process = start(engine, kind, LOG_LEVEL="DEBUG")
    eventually(lambda: words in engine.read_logs(), "it serves")
    process.send_signal(signal.SIGTERM)
    process.wait(60)

    told = events(tmp_path)

    assert {"event", "level", "timestamp"} <= set.intersection(*(set(each) for each in told))


@pytest.mark.parametrize("kind", ["web", "worker", "beat"])
def test_when_it_cannot_start(engine, tmp_path, kind):
    process = start(engine, kind, DATABASE_URL="mysql://h/d")

    assert process.wait(60) != 0
    assert "PostgreSQL is the only database supported" in json.dumps(events(tmp_path))


def test_holds_no_line_of_gunicorns_own_for_a_request(engine, tmp_path):
    """One line a request is ours, without the query; gunicorn's would hold it."""
    port = free_port()
    engine.web(port)
    eventually(lambda: answers(port), "it answers")

    assert [each for each in events(tmp_path) if each["logger"] == "gunicorn.access"] == []


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/live?code=secret", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
