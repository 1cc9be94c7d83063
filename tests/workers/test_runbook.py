"""Entries of the runbook (docs/operations.md) that no other test tries: the symptom, and what the remedy does."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command

from accounts.models import User
from alerts.models import OutboxMessage
from tests.ports import free_port
from workers import bucket, doctor, lanes, signs, tasks
from workers.clock import database_now
from workers.models import Lane

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis_away(settings):
    """Redis at an address where nobody listens."""
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    bucket.redis_client.cache_clear()
    yield
    bucket.redis_client.cache_clear()


def findings() -> dict[str, doctor.Finding]:
    return {each.name: each for each in doctor.examine()}


def test_redis_is_away(redis_away):
    found = findings()

    assert "Connection refused" in found["redis"].seen
    assert found["redis"].remedy.startswith("Nobody listens there: start Redis")
    assert "through Redis" in found["workers"].remedy
    assert "through Redis" in found["beat"].remedy
    assert found["database"].is_well


def test_database_is_away():
    url = f"postgres://nobody@127.0.0.1:{free_port()}/nothing"
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"], env={**os.environ, "DATABASE_URL": url},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    found = {each["name"]: each for each in json.loads(ended.stdout)}
    assert ended.returncode == 1
    assert found["database"]["remedy"].startswith("Nobody listens there: start PostgreSQL")
    # What needs no database is looked at all the same.
    assert list(found) == ["database", "redis", "disk", "upstream", "mail"]


def test_nothing_moves_though_beat_rings(connect):
    connect()
    signs.leave_of_beat()
    Lane.objects.update(due_at=database_now() - dt.timedelta(minutes=6))

    found = findings()["beat"]
    woken = lanes.wake_due()

    assert found.seen == "it rings, but 1 lanes are overdue by more than 5 minutes"
    assert found.remedy.startswith("Start a worker")
    assert woken == [Lane.objects.get().pk]
    assert findings()["beat"].is_well


def test_a_forgotten_password(admin_user, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda **_: "quite another horse")

    call_command("changepassword", admin_user.email)

    assert User.objects.get(pk=admin_user.pk).check_password("quite another horse")


def test_no_emails_because_the_server_refuses(account, admin_user, client, settings):
    settings.EMAIL_BACKEND = "tests.alerts.test_outbox.Refusing"
    OutboxMessage.objects.create(
        account=account, event_key="a", kind="connection.late", subject="s", body="b", due_at=database_now()
    )

    tasks.send_outbox()

    assert "tallystick_outbox_failing 1.0" in client.get("/metrics").content.decode()
    assert OutboxMessage.objects.get().last_error
