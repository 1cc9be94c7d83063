from __future__ import annotations

import json

import pytest
from django.test import Client

from runtime import refusals, rooms
from runtime.rooms import NOBODY, Asked, People, Room, Size

SMALL = Size(threads=3, share=2, waiting=4, share_waiting=3)


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


@pytest.fixture
def room() -> Room[str]:
    return Room(SMALL)


class TestReadHead:
    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/healthz/live", "health"),
            ("/healthz/ready", "health"),
            ("/metrics", "health"),
            ("/api/v1/costs/?model=/healthz/live", "api"),
            ("/api/v1/exports/costs.csv?from=2026-11-01", "files"),
            ("/settings/audit.csv", "files"),
            ("/explore/?range=12m", "pages"),
            ("http://localhost/api/v1/costs/", "api"),
            ("HTTP://localhost/api/v1/costs/", "api"),
            ("other+1.x-y://localhost?a#/api/v1/costs/", "pages"),
            ("other+1.x-y://localhost/api/v1/costs/", "api"),
            ("/%61pi/v1/exp%6Frts/costs.csv", "files"),
            ("/%2561pi/v1/exports/costs.csv", "pages"),
            ("//api/v1/costs/", "pages"),
            ("nonsense", "pages"),
        ],
    )
    def test_finds_the_room(self, path, kind):
        assert rooms.read_head(head(path)).kind == kind

    @pytest.mark.parametrize("begin", [b"\r\nGET", b"M-GET", b"M1"])
    def test_finds_the_room_as_the_server_reads_the_line(self, begin):
        """One empty line before it is none, and a method is any token."""
        assert rooms.read_head(head("/api/v1/costs/").replace(b"GET", begin)).kind == "api"

    def test_finds_the_token_behind_an_address_that_is_spelt_out(self):
        asked = rooms.read_head(head("/%61pi/v1/costs/", "Authorization: Bearer abc"))

        assert asked == Asked("api", rooms.key_of(b"abc"))

    @pytest.mark.parametrize(
        "line", ["Authorization: Bearer abc", "authorization:  bearer  abc ", "AUTHORIZATION: BEARER abc"]
    )
    def test_finds_the_token_of_a_program(self, line):
        asked = rooms.read_head(head("/api/v1/costs/", "Cookie: sessionid=s", line))

        assert asked == Asked("api", rooms.key_of(b"abc"))

    @pytest.mark.parametrize("line", ["Cookie: sessionid=abc", "cookie: a=b; sessionid=abc; c=d"])
    def test_finds_the_session_of_a_browser(self, line):
        asked = rooms.read_head(head("/explore/", "Authorization: Bearer t", line))

        assert asked == Asked("pages", rooms.key_of(b"abc"))

    @pytest.mark.parametrize("line", ["Cookie: mysessionid=abc", "X-Cookie: sessionid=abc", "Cookie: a=b"])
    def test_takes_nothing_else_for_a_session(self, line):
        assert rooms.read_head(head("/explore/", line)).key is None

    def test_reads_no_body(self):
        assert rooms.read_head(head("/explore/") + b"\r\nCookie: sessionid=abc\r\n").key is None


class TestSize:
    @pytest.mark.parametrize(
        ("line", "length"),
        [
            ("Content-Length: 7", 7),
            ("content-length:\t0000000000007 ", 7),
            (f"Content-Length: {rooms.MOST_BODY_BYTES}", rooms.MOST_BODY_BYTES),
            (f"Content-Length: {rooms.MOST_BODY_BYTES + 1}", 0),
            (f"Content-Length: {'9' * 5000}", 0),
            ("Content-Length: 7, 7", 0),
            ("Content-Length: -7", 0),
            ("X-Content-Length: 7", 0),
            ("Transfer-Encoding: chunked", 0),
        ],
    )
    def test_is_that_of_the_headers_and_of_the_body_that_is_awaited(self, line, length):
        whole = head("/explore/", line)

        assert rooms.size_of(whole + b"a=b") == len(whole) + length

    def test_is_unknown_while_headers_arrive(self):
        assert rooms.size_of(head("/explore/", "Content-Length: 7")[:-1]) is None

    def test_is_never_read_from_a_body(self):
        assert rooms.size_of(head("/") + b"\r\nContent-Length: 7\r\n") == len(head("/"))


class TestExpectation:
    @pytest.mark.parametrize("line", ["Expect: 100-continue", "EXPECT:100-Continue "])
    def test_is_to_be_told(self, line):
        assert rooms.expects_to_be_told(head("/explore/", "Accept: a", line))

    @pytest.mark.parametrize(
        "sent",
        [
            head("/explore/", "X-Expect: 100-continue"),
            head("/explore/", "Expect: nothing"),
            head("/explore/") + b"Expect: 100-continue\r\n",
            head("/explore/", "Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0"),
        ],
    )
    def test_is_nothing_else(self, sent):
        assert not rooms.expects_to_be_told(sent)


class TestLiveness:
    @pytest.mark.parametrize("path", ["/healthz/live", "/healthz/live?x=1", "http://localhost/healthz/live"])
    def test_is_asked_for(self, path):
        assert rooms.is_liveness(head(path, "Cookie: sessionid=abc"))

    @pytest.mark.parametrize(
        "path", ["/healthz/lively", "/healthz/ready", "/?x=/healthz/live", "/a/healthz/live"]
    )
    def test_is_nothing_else(self, path):
        assert not rooms.is_liveness(head(path))

    def test_is_answered_as_the_product_does(self, db):
        lines, _, body = refusals.ALIVE.partition(b"\r\n\r\n")

        assert json.loads(body) == Client().get("/healthz/live").json()
        assert f"Content-Length: {len(body)}".encode() in lines.split(b"\r\n")


class TestPeople:
    def test_are_nobody_until_they_are_introduced(self):
        assert People().who(rooms.key_of(b"secret")) == NOBODY

    def test_are_one_whatever_they_send(self):
        people = People()

        people.introduce(b"a session", 7)
        people.introduce(b"a token", 7)

        assert {people.who(rooms.key_of(b"a session")), people.who(rooms.key_of(b"a token"))} == {"7"}


class TestRoom:
    def test_lets_one_person_in_up_to_their_share(self, room):
        assert [room.enter("a"), room.enter("a"), room.enter("a")] == [True, True, False]

    def test_keeps_a_place_for_somebody_else(self, room):
        room.enter("a"), room.enter("a")

        assert room.enter("b")

    def test_is_full_for_everybody_in_the_end(self, room):
        room.enter("a"), room.enter("a"), room.enter("b")

        assert not room.enter("c")

    def test_lets_one_person_wait_up_to_their_share(self, room):
        assert [room.wait("a", f"{n}", 0) for n in range(4)] == [True, True, True, False]
        assert room.wait("b", "other", 0)

    def test_has_a_line_with_an_end(self, room):
        assert [room.wait(who, who, 0) for who in "abcde"] == [True, True, True, True, False]

    def test_calls_first_whoever_has_the_fewest_inside(self, room):
        room.enter("a"), room.enter("b"), room.enter("b")
        room.wait("a", "second of a", 0), room.wait("c", "first of c", 0)
        room.leave("b")

        assert room.call() == "first of c"

    def test_calls_nobody_beyond_their_share(self, room):
        room.enter("a"), room.enter("a")
        room.wait("a", "third of a", 0)

        assert room.call() is None

    def test_calls_in_the_order_of_arrival(self, room):
        room.wait("a", "first", 0), room.wait("b", "second", 1)

        assert [room.call(), room.call(), room.call()] == ["first", "second", None]

    def test_drops_from_the_line_what_is_unwanted(self, room):
        room.wait("a", "early", 0), room.wait("a", "late", 9)

        assert room.drop(lambda _, since: since < 5) == ["early"]
        assert room.call() == "late"


class TestRefusal:
    def test_is_a_problem_document_to_a_program(self):
        lines, _, body = refusals.answer(refusals.BUSY, head("/api/v1/costs/?a=b")).partition(b"\r\n\r\n")

        assert lines.startswith(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        )
        assert b"\r\nRetry-After: 2" in lines
        assert json.loads(body) == {
            "type": "urn:tallystick:problem:busy",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "More is being asked than can be answered at once. Try again in 2 seconds.",
            "code": "busy",
            "instance": "/api/v1/costs/",
            "errors": [],
        }

    def test_is_a_page_to_a_person(self):
        answer = refusals.answer(refusals.BUSY, head("/explore/"))

        assert b"Content-Type: text/html" in answer
        assert b"<h1>Busy at the moment</h1>" in answer

    def test_has_no_body_for_head(self):
        assert refusals.answer(refusals.BUSY, b"HEAD / HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")

    def test_says_how_long_its_body_is(self):
        lines, _, body = refusals.answer(refusals.BUSY, b"").partition(b"\r\n\r\n")

        assert f"Content-Length: {len(body)}".encode() in lines.split(b"\r\n")
