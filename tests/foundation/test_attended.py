"""Requests that nobody waits for, or that take too long; the web process's own socket is one end of a pair."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from django.db import connection as database
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path

from foundation import attended
from tests.api.conftest import problem

pytestmark = pytest.mark.django_db(transaction=True)


def sleep(_request) -> HttpResponse:
    """Ask the database for something that takes a minute; nothing in it reads the clock of a test."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    return HttpResponse("slept")


def many(_request) -> HttpResponse:
    """Ask the database for many small things."""
    with database.cursor() as cursor:
        for _ in range(600):
            cursor.execute("SELECT pg_sleep(0.1)")
    return HttpResponse("asked")


def quick(_request) -> HttpResponse:
    """Ask the database for one thing."""
    with database.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("quick")


urlpatterns = [path("api/sleep", sleep), path("many", many), path("sleep", sleep), path("quick", quick)]
handler500 = "foundation.problems.server_error"


@pytest.fixture(autouse=True)
def own_addresses() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def ask(ends):
    """Asks as over a socket of the web process."""
    client = Client(raise_request_exception=False)
    return lambda method, address: client.generic(method, address, **{"gunicorn.socket": ends[0]})


class TestTooSlow:
    def test_statement_is_cancelled_and_said_so(self, ask, monkeypatch):
        monkeypatch.setattr(attended, "READING_SECONDS", 0.2)

        answer = ask("GET", "/api/sleep")

        assert problem(answer, 503)["code"] == "too_slow"
        assert answer["Retry-After"] == "5"

    def test_many_quick_statements_are_too_slow_together(self, ask, monkeypatch):
        monkeypatch.setattr(attended, "READING_SECONDS", 0.2)

        answer = ask("GET", "/many")

        assert answer.status_code == 503
        assert "This took too long and was ended." in answer.content.decode()

    def test_what_writes_has_more_time_but_not_for_ever(self, ask, monkeypatch):
        monkeypatch.setattr(attended, "READING_SECONDS", 0)
        monkeypatch.setattr(attended, "WRITING_SECONDS", 0.2)

        assert ask("POST", "/api/sleep").status_code == 503

    def test_the_next_request_has_its_own_time(self, ask, monkeypatch):
        monkeypatch.setattr(attended, "READING_SECONDS", 0.2)
        ask("GET", "/sleep")

        assert ask("GET", "/quick").content == b"quick"


class TestClientThatHasLeft:
    def test_is_not_worked_for_any_more(self, ask, ends):
        ends[1].close()
        began = time.monotonic()

        answer = ask("GET", "/sleep")

        assert answer.status_code == 503
        assert time.monotonic() - began < 30

    def test_gets_done_what_they_clicked(self, ask, ends, monkeypatch):
        """Whoever presses a button and closes the page has pressed it."""
        monkeypatch.setattr(attended, "WRITING_SECONDS", 1.5)
        ends[1].close()
        began = time.monotonic()

        ask("POST", "/sleep")

        assert time.monotonic() - began > 1.5
