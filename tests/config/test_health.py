from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from integrations.models import Status
from tests.api.conftest import stored_connection
from workers import bucket
from workers.models import Lane

HOUR = dt.timedelta(hours=1)


def ask(name: str):
    answer = Client().get(f"/healthz/{name}")
    return answer.status_code, answer.json()


def lane(*, due_at, state=Lane.State.WAITING) -> Lane:
    return Lane.objects.create(
        organization_id="org",
        family="classic",
        state=state,
        due_at=due_at,
        level_us=0,
        level_at=timezone.now(),
    )


class TestLive:
    def test_needs_nothing(self):
        assert ask("live") == (200, {"status": "ok", "checks": {}})


class TestReady:
    def test_is_ready(self, db):
        status, answer = ask("ready")

        assert (status, answer["status"]) == (200, "ok")
        assert {name: check["ok"] for name, check in answer["checks"].items()} == {
            "database": True, "redis": True, "migrations": True,
        }  # fmt: skip

    def test_fails_without_redis(self, db, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        bucket.redis_client.cache_clear()

        status, answer = ask("ready")

        bucket.redis_client.cache_clear()
        assert (status, answer["checks"]["redis"]) == (503, {"ok": False, "detail": "It does not answer."})

    def test_fails_with_pending_migrations(self, db):
        with database.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'alerts'")

        status, answer = ask("ready")

        assert (status, answer["checks"]["migrations"]["ok"]) == (503, False)


class TestData:
    @pytest.mark.parametrize(
        ("late", "state", "status"),
        [
            (6 * HOUR / 60, Lane.State.WAITING, 503),
            (6 * HOUR / 60, Lane.State.LEASED, 503),
            (4 * HOUR / 60, Lane.State.WAITING, 200),
            (-HOUR, Lane.State.WAITING, 200),
        ],
    )
    def test_sees_work_that_nobody_does(self, db, late, state, status):
        lane(due_at=timezone.now() - late, state=state)

        assert ask("data")[0] == status

    @pytest.mark.parametrize(
        ("hours", "fields", "status"),
        [
            (35, {}, 200),
            (37, {}, 503),
            (37, {"status": Status.ERROR}, 503),
            (37, {"status": Status.PAUSED}, 200),
            (37, {"disconnected_at": dt.datetime(2026, 11, 1, tzinfo=dt.UTC)}, 200),
        ],
    )
    def test_sees_connections_without_success(self, account, hours, fields, status):
        stored_connection(account, last_synced_at=timezone.now() - hours * HOUR, **fields)

        assert ask("data")[0] == status

    def test_gives_a_new_connection_time(self, account):
        stored_connection(account)

        assert ask("data")[0] == 200

    def test_names_no_account(self, account):
        stored_connection(account, last_synced_at=timezone.now() - 48 * HOUR)

        text = Client().get("/healthz/data").content.decode()

        assert "Alice" not in text
        assert "Organisation" not in text


def test_only_reads(db):
    assert Client().post("/healthz/live").status_code == 405
