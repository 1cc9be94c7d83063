"""Answers of an upstream that means harm: more than a hundred, none of which changes what is stored."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import copy
import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection as database

from accounts.models import Plan
from costs import texts
from costs.models import CostFact, DayDigest, Resource, ResourceName, Restatement, SupersededCost, UsageFact
from devtools.simulator.keys import key_text
from integrations.connections import RefusedError
from integrations.models import Connection
from tests.hostile import inputs
from tests.integrations.test_http import Server
from workers import executor, lanes, lifecycle, replay
from workers.clock import database_now
from workers.lifecycle import NewConnection
from workers.models import Lane, Page, SyncRun, SyncStep

pytestmark = pytest.mark.django_db(transaction=True)
STORED = (CostFact, SupersededCost, UsageFact, DayDigest, Restatement, Resource, ResourceName)

NO_AMOUNTS: list[Any] = [
    "NaN", "sNaN", "Infinity", "-Infinity", "1e999999999", "1E+400", "0x10", "1,5", "1_0x", "", " ", "=1+1", "1; DROP TABLE", "$1", "1 USD",
    "１", "١", "--1", "1.2.3", "1e", None, True, [], {}, ["1"], {"a": 1}, "9" * 100_000, "\0", "1\0", "1'--", "{{7*7}}", "∞",
]  # fmt: skip
NO_MOMENTS: list[Any] = [
    "", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59-05:00",
    "0001-01-01T00:00:00+05:00", "2019-01-01T00:00:00Z", "yesterday", 0, -1, 1e99, None, [], {}, True,
    "2026-11-01", "2026-11-01T00:00:00", "2026-11-01T12:34:56Z", "' OR 1=1", "\0", "2026-11-01T00:00:00Z" * 1000,
]  # fmt: skip
# A dimension of another type than text is no attack but news: the amount is stored under its spelling.
NO_DIMENSIONS: list[Any] = ["\0", "a\0b", "\ud800", ["\0"], {"a\0": "b"}]
NO_LISTS: list[Any] = [None, {}, "x", 1, True, [1], ["x"], [None], [[]], [{}], [[[]]], {"0": {}}]
NO_MEMBERS: list[Any] = ["x", 1, [], {}, "yes", "false"]


def ok(body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def nested(depth: int) -> bytes:
    return b'{"data":' * depth + b"1" + b"}" * depth


def raw_answers() -> Iterator[bytes]:
    for body in [
        *inputs.NO_OBJECTS,
        b"",
        b"{}",
        b'{"data": []}',
        nested(5_000),
        nested(200_000),
        b"[" * 1_000_000,
        b"<html>",
    ]:
        yield ok(body)
    for kind in ("text/html", "text/plain", "application/xml", "image/png"):
        yield ok(b"<script>alert(1)</script>", kind)
    bomb = gzip.compress(b" " * 100_000_000, 1)
    yield ok(bomb, more="content-encoding: gzip\r\n")
    yield ok(gzip.compress(bomb), more="content-encoding: gzip\r\n")
    for encoding in ("br", "zstd", "gzip, gzip", "compress", "x"):
        yield ok(b"{}", more=f"content-encoding: {encoding}\r\n")
    yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999999999\r\n\r\n{}"
    yield b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}"
    yield b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(500)) + b"\r\n"
    yield b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n"
    for target in (
        b"http://169.254.169.254/",
        b"file:///etc/passwd",
        b"//evil.example",
        b"/v1/organizations/cost_report",
    ):
        yield b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: " + target + b"\r\n\r\n"
    for status in (b"204 No", b"206 Part", b"304 Not", b"418 Tea", b"499 x", b"599 x"):
        yield b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\n\r\n{}"


def changed(page: dict[str, Any], way: tuple[Any, ...], value: Any) -> bytes:
    """The page with one member replaced."""
    document = copy.deepcopy(page)
    place: Any = document
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return ok(json.dumps(document).encode())


def changed_answers(page: dict[str, Any]) -> Iterator[bytes]:
    """A true answer with one member wrong: in the middle, where rows before it are fine."""
    row = a_row(page)
    day = row[1]
    for amount in NO_AMOUNTS:
        yield changed(page, (*row, "amount"), amount)
    for currency in ("EUR", "usd ", "", None, 1, [], "USDT"):
        yield changed(page, (*row, "currency"), currency)
    names = itertools.cycle(
        ["workspace_id", "model", "description", "cost_type", "token_type", "service_tier"]
    )
    for value, name in zip([*NO_DIMENSIONS, *NO_DIMENSIONS], names, strict=False):
        yield changed(page, (*row, name), value)
    for name in ("starting_at", "ending_at"):
        for moment in NO_MOMENTS:
            yield changed(page, ("data", day, name), moment)
    ways = itertools.cycle([("data",), ("data", day, "results"), ("data", day)])
    for value, way in zip([*NO_LISTS, *NO_LISTS], ways, strict=False):
        yield changed(page, way, value)
    for value in NO_MEMBERS:
        yield changed(page, ("has_more",), value)
    yield changed(page, ("data",), page["data"] + page["data"])
    # Says that there is more for ever: the place repeats.
    yield ok(json.dumps({**page, "has_more": True, "next_page": "again"}).encode())
    yield ok(json.dumps({**page, "has_more": True, "next_page": None}).encode())
    yield ok(json.dumps({**page, "has_more": True, "next_page": "a" * 100_000}).encode())
    yield ok(json.dumps({**page, "has_more": True, "next_page": {"a": 1}}).encode())


@pytest.fixture
def evil() -> Iterator[Callable[[bytes], Server]]:
    """A server on this machine that answers everything with what it was last told."""
    told = [b""]

    def answer(connection: Any, _server: Any) -> bool:
        connection.sendall(told[0])
        return False

    server = Server(answer)

    def tell(data: bytes) -> Server:
        told[0] = data
        return server

    yield tell
    server.close()


@pytest.fixture
def filled(account, simulator, bill_only, run_due) -> Connection:
    """A month of one organisation, stored from true answers."""
    account.plan = Plan.FREE
    account.save()
    connection = lifecycle.connect(account, NewConnection(key_text("acorn-studio")), actor="alice")
    run_due()
    lifecycle.force_sync(connection, None, actor="alice")
    run_due()
    return connection


def everything() -> dict[str, str]:
    """A checksum of every row that is stored, by table."""
    found = {}
    with database.cursor() as cursor:
        for model in STORED:
            name = model._meta.db_table
            cursor.execute(f"SELECT md5(string_agg(row::text, '|' ORDER BY id)) FROM {name} row")  # noqa: S608
            found[name] = cursor.fetchone()[0]
    return found


def a_row(page: dict[str, Any]) -> tuple[Any, ...]:
    """Where the last row of the last day with rows is, so that there are rows before it that are fine."""
    day = next(n for n, bucket in reversed(list(enumerate(page["data"]))) if bucket["results"])
    return ("data", day, "results", len(page["data"][day]["results"]) - 1)


def ask_once(connection: Connection) -> int:
    """Force a sync and let the engine send its next request, whatever it waits for."""
    SyncRun.objects.filter(connection=connection, finished_at=None).delete()
    lifecycle.force_sync(connection, None, actor="alice")
    SyncStep.objects.update(not_before=None)
    Lane.objects.update(state=Lane.State.WAITING, due_at=database_now(), blocked_until=None, lease_id=None)
    return sum(executor.process_lane(lane_id) for lane_id in lanes.wake_due())


def test_changes_nothing_that_is_stored(filled, settings, evil):
    page = json.loads(zlib.decompress(Page.objects.filter(path__contains="cost_report").latest("pk").body))
    attacks = [*raw_answers(), *changed_answers(page)]
    settings.ANTHROPIC_BASE_URL = evil(b"").url
    settings.ANTHROPIC_TIMEOUT_SECONDS = 1
    before = everything()
    harm, asked = [], 0

    for number, attack in enumerate(attacks, start=1):
        evil(attack)
        asked += ask_once(filled)
        # What is changed stays changed; looking after each one would take longer than the attacks.
        if number % 20 == 0 or number == len(attacks):
            harm += [attacks[max(0, number - 20) : number]] if everything() != before else []

    assert harm == []
    assert asked >= len(attacks) > 150
    # The same answer with another true amount is written: what was refused before was refused for what was wrong in it.
    evil(changed(page, (*a_row(page), "amount"), "4711.4711"))
    ask_once(filled)
    assert everything() != before


def test_stores_texts_without_end_short_and_apart_and_shows_them(filled, settings, evil, client, admin_user):
    """A name of two megabytes made a page of ten; two that only end differently stay two rows."""
    page = json.loads(zlib.decompress(Page.objects.filter(path__contains="cost_report").latest("pk").body))
    day = a_row(page)[1]
    row, on = page["data"][day]["results"][0], page["data"][day]["starting_at"][:10]
    endless = "claude-" + "x" * 2_000_000
    page["data"][day]["results"] = [{**row, "model": endless + end, "amount": "100"} for end in "ab"]
    page["has_more"], page["next_page"] = False, None
    settings.ANTHROPIC_BASE_URL = evil(ok(json.dumps(page).encode())).url

    ask_once(filled)

    models = list(CostFact.objects.filter(model__startswith="claude-xxx").values_list("model", flat=True))
    assert len(set(models)) == 2
    assert {len(model) for model in models} == {texts.MOST_CHARACTERS}
    client.force_login(admin_user)
    shown = client.get(f"/explore/?range=custom&from={on}&to={on}&group_by=model")
    assert "claude-xxx" in shown.text
    assert len(shown.content) < 300_000
    assert replay.replay(filled).is_equal


def test_refuses_an_organisation_whose_id_no_column_holds(account, simulator, settings, evil):
    body = json.dumps({"id": "o" * 65, "name": "N" * 1_000_000, "type": "organization"}).encode()
    settings.ANTHROPIC_BASE_URL = evil(ok(body)).url

    with pytest.raises(RefusedError, match="too long to be one"):
        lifecycle.connect(account, NewConnection(key_text("acorn-studio")), actor="alice")
