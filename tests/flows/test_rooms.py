"""The door of the real web server: whatever one person asks for, and however, others are answered."""

from __future__ import annotations

import http.client
import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.db import connection as database
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Membership, Role, User
from runtime import rooms
from tests.api.conftest import DAY, caller, record, store, stored_connection
from tests.flows.conftest import eventually
from tests.flows.test_exports import is_listening
from tests.ports import free_port

pytestmark = pytest.mark.flow

SLOW, QUICK, API = "/explore/", "/exports/", "/api/v1/workspaces/"
# Work of the web process that waits for the lock that a test holds.
WAITING = """
    SELECT count(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
"""
PAGES = rooms.SIZES["pages"]


@dataclass
class Browser:
    """Somebody who is signed in, and may have many requests under way."""

    port: int
    cookie: str
    open: ExitStack = field(default_factory=ExitStack)

    def ask(self, address: str) -> socket.socket:
        client = self.open.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=60))
        client.sendall(
            f"GET {address} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={self.cookie}\r\n\r\n".encode()
        )
        return client

    def read(self, address: str) -> http.client.HTTPResponse:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(client):
            client.request("GET", address, headers={"Cookie": f"sessionid={self.cookie}"})
            answer = client.getresponse()
            answer.read()
            return answer


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(autouse=True)
def worker(engine, port: int) -> Callable[[], int]:
    """Starts the web server, and tells the id of the process that answers now."""
    master = engine.web(port).pid
    eventually(lambda: is_listening(port), "the web server listens")
    return lambda: int(Path(f"/proc/{master}/task/{master}/children").read_text())


@pytest.fixture
def browser(port: int, account: Account) -> Iterator[Callable[[str], Browser]]:
    """Signs somebody in and lets the door know them, as any first page does."""
    store(stored_connection(account), record(timezone.now().date() - 3 * DAY, "1.5"))
    with ExitStack() as opened:

        def sign_in(name: str) -> Browser:
            user = User.objects.create_user(f"{name}@example.com")
            Membership.objects.create(account=account, user=user, role=Role.VIEWER)
            client = Client()
            client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
            browser = Browser(port, client.session.session_key, opened)
            assert browser.read(QUICK).status == 200
            return browser

        yield sign_in


@contextmanager
def locked() -> Iterator[None]:
    """Nobody can read what the Explorer reads."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("LOCK TABLE costs_dailycost IN ACCESS EXCLUSIVE MODE")
        yield


def waiting() -> int:
    with closing(connections.create_connection("default")) as other, other.cursor() as cursor:
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


def live(port: int) -> float:
    """How long liveness takes, in seconds."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.monotonic()
    with closing(client):
        client.request("GET", "/healthz/live")
        assert client.getresponse().status == 200
    return time.monotonic() - began


def is_served(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=0.3)) as client:
        client.request("GET", "/healthz/live")
        try:
            return client.getresponse().status == 200
        except TimeoutError:
            return False


def status_of(client: socket.socket) -> tuple[bytes, bytes]:
    """First line and text of an answer after which the connection is closed."""
    text = b""
    while part := client.recv(65_536):
        text += part
    return text.partition(b"\r\n")[0], text


def test_one_person_keeps_nobody_waiting(port, browser, account, admin_user):
    victor, wilma = browser("victor"), browser("wilma")
    token = caller(account, Role.VIEWER, admin_user).token
    with locked():
        for n in range(64):
            victor.ask(f"{SLOW}?range=12m&x={n}")
        eventually(lambda: waiting() == PAGES.share, "a person's share of the pages waits for the lock")

        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request("GET", API, headers={"Authorization": f"Bearer {token}"})

        assert max(live(port) for _ in range(5)) < 1
        assert client.getresponse().status == 200
        assert wilma.read(QUICK).status == 200
        # Of those that wait some may have been ended meanwhile; more than a share is never let in.
        assert waiting() <= PAGES.share
    client.close()


def test_who_asks_for_more_than_may_wait_is_told_to_come_again(browser):
    victor = browser("victor")
    with locked():
        sent = [victor.ask(f"{SLOW}?x={n}") for n in range(PAGES.share + PAGES.share_waiting + 1)]

        line, text = status_of(sent[-1])

        assert line == b"HTTP/1.1 503 Service Unavailable"
        assert b"\r\nRetry-After: 2\r\n" in text


def test_work_of_clients_that_have_left_is_ended(port, browser):
    victor = browser("victor")
    with locked():
        for n in range(20):
            victor.ask(f"{SLOW}?x={n}")
        eventually(lambda: waiting() == PAGES.share, "they wait for the lock")

        victor.open.close()

        # Also those in line: each would wait for the lock when its turn comes.
        eventually(lambda: waiting() == 0, "nothing waits for the lock", seconds=10)
        assert victor.read(QUICK).status == 200
        assert waiting() == 0


def test_clients_that_never_end_their_headers_take_no_place(port, browser):
    victor = browser("victor")
    for _ in range(40):
        client = victor.open.enter_context(socket.create_connection(("127.0.0.1", port)))
        client.sendall(b"GET /explore/ HTTP/1.1\r\nHost: localh")

    assert live(port) < 1
    assert victor.read(QUICK).status == 200


@pytest.fixture
def send(port: int) -> Iterator[Callable[[bytes], socket.socket]]:
    """Opens a connection that stays open, and sends what it is given."""
    with ExitStack() as opened:

        def connect(sent: bytes) -> socket.socket:
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            client.sendall(sent)
            return client

        yield connect


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


def form(length: object, *fields: str) -> bytes:
    """The headers of a form of somebody who is not signed in, which Django reads to its end."""
    kind, cookie = "Content-Type: application/x-www-form-urlencoded", f"Cookie: csrftoken={'a' * 32}"
    return head("POST /accounts/login/", kind, cookie, f"Content-Length: {length}", *fields)


def asked(port: int, address: str) -> int:
    """The status of the answer to somebody who is not signed in."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request("GET", address)
        return client.getresponse().status


@pytest.mark.parametrize("length", ["1000", "0000000001000"])
def test_bodies_that_do_not_arrive_take_no_place(port, send, length):
    for _ in range(PAGES.share):
        send(form(length) + b"x")

    assert asked(port, "/accounts/login/") == 200


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_bodies_that_do_not_arrive_keep_no_health_check_waiting(port, send, framing):
    assert asked(port, "/healthz/ready") == 200
    send(head("GET /healthz/ready", framing))
    began = time.monotonic()

    assert asked(port, "/healthz/ready") == 200
    assert time.monotonic() - began < 4


def test_who_waits_to_be_told_sends_the_body_then(send):
    client = send(form(3, "Expect: 100-continue", "Connection: close"))

    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"a=b")

    assert b"HTTP/1.1 403 Forbidden" in status_of(client)[1]


def test_the_largest_body_is_read(send):
    client = send(form(rooms.MOST_BODY_BYTES, "Connection: close") + b"a" * rooms.MOST_BODY_BYTES)

    assert status_of(client)[0] == b"HTTP/1.1 403 Forbidden"


def test_a_body_that_is_too_large_is_not_awaited(send):
    assert send(form(rooms.MOST_BODY_BYTES + 1)).recv(12) == b"HTTP/1.1 413"


def test_bodies_that_do_not_arrive_fill_no_memory(port, send):
    begun = form(rooms.MOST_BODY_BYTES) + b"a" * (rooms.MOST_BODY_BYTES - 1)
    clients = [send(begun) for _ in range(66)]

    refused, _, _ = select.select(clients, [], [], 20)

    assert refused[0].recv(12) == b"HTTP/1.1 503"
    assert asked(port, "/accounts/login/") == 200


@pytest.mark.parametrize(
    ("sent", "line"),
    [
        (b"GET /metrics?" + b"a" * 8_178, b"HTTP/1.1 414"),
        (
            b"GET /metrics HTTP/1.1\r\n" + b"X-Large: aaaa\r\n" * 4_400,
            b"HTTP/1.1 431",
        ),
    ],
)
def test_headers_without_an_end_are_refused_without_a_thread(port, send, sent, line):
    client = send(sent)

    assert status_of(client)[0][:12] == line
    assert asked(port, "/metrics") == 200


def test_idle_connections_leave_files_for_the_rest(port, send, worker):
    """The usual limit of a process is 1,024; beyond it nothing can be opened, a connection to the database neither."""
    for _ in range(700):
        send(b"GET /explore/ HTTP/1.1\r\n")

    assert live(port) < 5
    assert len(list(Path(f"/proc/{worker()}/fd").iterdir())) < 600


def test_a_process_without_free_files_lives_and_answers(port, send, worker):
    assert live(port) < 60
    process = worker()
    resource.prlimit(process, resource.RLIMIT_NOFILE, (100, 100))
    for _ in range(150):
        send(b"GET /explore/ HTTP/1.1\r\n")

    assert live(port) < 10
    assert worker() == process


def test_a_restart_answers_what_kept_connections_ask(port, worker, browser):
    victor = browser("victor")
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with locked(), closing(kept):
        kept.request("GET", "/healthz/ready")
        kept.getresponse().read()
        victor.ask(SLOW)
        eventually(lambda: waiting() == 1, "a request is under way")

        os.kill(worker(), signal.SIGTERM)
        eventually(lambda: not is_served(port), "the worker takes no more connections")
        kept.request("GET", "/healthz/ready")

        assert kept.getresponse().status == 200


def test_headers_may_arrive_in_pieces(port):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as client:
        for piece in (
            b"GET /healthz/live HT",
            b"TP/1.1\r\nHost: localhost\r\nConnection: ",
            b"close\r\n\r\n",
        ):
            client.sendall(piece)
            time.sleep(0.05)  # or they would arrive as one

        assert status_of(client)[0] == b"HTTP/1.1 200 OK"


def test_requests_that_arrive_together_are_answered_one_after_the_other(port):
    one = b"GET /healthz/ready HTTP/1.1\r\nHost: localhost\r\n"
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as client:
        client.sendall(one + b"\r\n" + one + b"Connection: close\r\n\r\n")

        assert status_of(client)[1].count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /api/v1/costs/?model=" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", 414, "address_too_long"),
        (b"GET /api/v1/costs/ HTTP/1.1\r\nX-Large: " + b"x" * 9_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET /api/v1/costs/ HTTP/9\r\n\r\n", 400, "parse_error"),
        (b"GET /api/v1/costs/ HTTP/1.1\r\nbad header: x\r\n\r\n", 400, "parse_error"),
    ],
)
def test_what_cannot_be_parsed_is_a_problem_document_of_the_api(port, sent, status, code):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as client:
        client.sendall(sent)

        document = json.loads(status_of(client)[1].partition(b"\r\n\r\n")[2])

    assert (document["status"], document["code"], document["instance"]) == (status, code, "/api/v1/costs/")
