"""Web, worker, beat and doctor as the user of Redis that docs/operations.md makes: no other key, no other command."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings

from tests.flows.conftest import eventually
from tests.ports import free_port
from workers import lifecycle
from workers.bucket import redis_client
from workers.lifecycle import NewConnection
from workers.models import SyncRun

pytestmark = pytest.mark.flow

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def as_user():
    """The address for the documented user, who exists for the length of a test."""
    operations = (PROJECT / "docs/operations.md").read_text("utf-8")
    line = re.search(r"^redis-cli (ACL SETUSER .*)$", operations, re.MULTILINE)[1]
    redis_client().execute_command(*shlex.split(line))
    redis_client().acl_log_reset()
    parts = urlsplit(django_settings.REDIS_URL)
    yield parts._replace(netloc=f"tallystick:a-long-password@{parts.netloc}").geturl()
    redis_client().acl_deluser("tallystick")


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_does_everything_and_leaves_no_key_elsewhere(account, simulator, engine, as_user):
    port = free_port()
    key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    lifecycle.connect(account, NewConnection(key), actor="alice")
    engine.web(port, REDIS_URL=as_user)
    engine.worker(REDIS_URL=as_user)
    engine.beat(REDIS_URL=as_user)

    eventually(lambda: SyncRun.objects.get().status == SyncRun.Status.SUCCEEDED, "the backfill ends")
    eventually(lambda: is_ready(port), "the web server reaches Redis")
    doctor = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=PROJECT, env={**engine.environment, "REDIS_URL": as_user}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert redis_client().acl_log() == []
    assert [name for name in redis_client().keys() if not name.startswith(b"tallystick:")] == []  # noqa: SIM118
    assert "ok   redis: version" in doctor.stdout, doctor.stdout + doctor.stderr
    assert re.search(r"ok   workers: \d+ waiting for work", doctor.stdout), doctor.stdout
