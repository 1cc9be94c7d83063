"""The audit log as a file, from the API and from its page: with the limits of every other file."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.models import AuditEvent, Role
from foundation import csv_text, streaming
from foundation.concurrency import ConcurrencyLimit
from tests.accounts.test_api import caller
from tests.api.conftest import Caller, pointers, problem

# A file is read in a transaction of its own, which cannot be inside the test's.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(transactional_db, account):
    return account


@pytest.fixture
def admin(account, alice) -> Caller:
    return caller(account, alice, Role.ADMIN)


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice.user)
    return client


@pytest.fixture(params=["api", "page"])
def ask(request, admin, browser) -> Any:
    """Asks for the whole file, as a program and as a person."""
    if request.param == "api":
        return lambda **how: admin.client.get(
            "/api/v1/exports/audit-events.csv", headers={"Authorization": f"Bearer {admin.token}"}, **how
        )
    return lambda **how: browser.get(reverse("settings:audit_csv"), **how)


@pytest.fixture
def places(monkeypatch) -> ConcurrencyLimit:
    made = ConcurrencyLimit(3, 2)
    monkeypatch.setattr(streaming, "_places", made)
    return made


def read(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


def was_exported() -> bool:
    return AuditEvent.objects.filter(action="audit.exported").exists()


class TestFile:
    def test_is_a_line_for_each_event_of_the_account_and_no_formula(self, ask, account, other_account):
        audit.record(account, "=cmd|' /C calc'!A0", "connection.paused", "R&D;+1")
        audit.record(other_account, "charlie", "connection.paused", "Secret")

        exported, paused, *rest = read(ask())

        assert exported["action"] == "audit.exported"
        assert (paused["who"], paused["target"], paused["action"]) == (
            "'=cmd|' /C calc'!A0",
            "R&D;'+1",
            "connection.paused",
        )
        assert paused["sentence"].startswith("'=cmd|' /C calc'!A0 paused R&D;'+1")
        assert "Secret" not in str(rest)

    def test_is_filtered_like_the_list(self, admin, account):
        audit.record(account, "alice", "connection.paused", "Main")
        audit.record(account, "bob", "connection.resumed", "Main")

        lines = read(admin.get("exports/audit-events.csv", actor="alice", action="connection.paused"))

        assert [line["who"] for line in lines] == ["alice"]

    def test_is_filtered_like_the_page(self, browser, account):
        audit.record(account, "alice", "connection.paused", "Main")
        audit.record(account, "token ci", "connection.paused", "Main")

        lines = read(browser.get(reverse("settings:audit_csv"), {"actor": "token"}))

        assert [line["who"] for line in lines] == ["token ci"]
        assert AuditEvent.objects.get(action="audit.exported").actor == "alice@example.com"

    def test_is_a_file_that_nobody_keeps(self, admin):
        answer = admin("HEAD", "exports/audit-events.csv")

        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == 'attachment; filename="audit-events.csv"'
        assert answer["Cache-Control"] == "no-store"
        assert not was_exported()

    def test_takes_no_pages(self, admin):
        assert pointers(problem(admin.get("exports/audit-events.csv", page_size=1), 400)) == ["/page_size"]


class TestLimits:
    def test_is_not_sent_where_a_short_one_would_look_whole(self, ask):
        answer = ask(SERVER_PROTOCOL="HTTP/1.0")

        assert answer.status_code == 426
        assert "HTTP/1.1" in answer.text
        assert not was_exported()

    def test_an_account_with_its_share_is_asked_to_wait(self, ask, account, places):
        with places.held(account.pk), places.held(account.pk):
            answer = ask()

        assert (answer.status_code, answer["Retry-After"]) == (429, "15")
        assert "2 exports running" in answer.text
        assert not was_exported()

    def test_too_many_at_once_are_asked_to_come_back(self, ask, account, places):
        with places.held(uuid4()), places.held(uuid4()), places.held(uuid4()):
            answer = ask()

        assert (answer.status_code, answer["Retry-After"]) == (503, "15")
        assert "Try again in a moment" in answer.text
        assert not was_exported()

    def test_takes_a_place_and_gives_it_back(self, ask, account, places):
        answer = ask()
        taken = places._taken[account.pk]

        answer.getvalue()

        assert (taken, places._taken[account.pk]) == (1, 0)

    def test_sees_one_moment_of_the_database(self, ask, account, monkeypatch):
        monkeypatch.setattr(csv_text, "_CHARACTERS_A_CHUNK", 1)
        audit.record(account, "alice", "connection.paused", "Main")
        chunks = iter(ask().streaming_content)
        begun = next(chunks)

        # Below all others, so that it would be the last line of the file.
        with closing(connections.create_connection("default")) as other, other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO accounts_auditevent (id, account_id, actor, action, target, target_id, changes, token_prefix,"
                " request_id, at) VALUES (-1, %s, 'mallory', 'connection.paused', '', '', '{}', '', '', now())",
                [account.pk],
            )

        assert b"mallory" not in begun + b"".join(chunks)
        assert AuditEvent.objects.filter(actor="mallory").exists()

    def test_is_broken_off_when_it_takes_too_long(self, ask, account, monkeypatch):
        monkeypatch.setattr(csv_text, "_CHARACTERS_A_CHUNK", 1)
        chunks = iter(ask().streaming_content)
        next(chunks)
        monkeypatch.setattr(streaming, "MOST_SECONDS", -1)

        with pytest.raises(streaming.ExportTooSlowError):
            next(chunks)
