"""Files from the real web server: whole, or visibly broken off; and nothing of them stays behind."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import socket
from collections.abc import Callable
from contextlib import closing

import pytest
from django.db import connection as database
from django.db import connections

from accounts.models import Role
from tests.api.conftest import caller, stored_connection
from tests.flows.conftest import eventually
from tests.ports import free_port

pytestmark = pytest.mark.flow

# Some 15 MB: far more than sockets hold, so that the server is still sending while a client reads.
ROWS = 60_000
ADDRESS = "/api/v1/exports/costs.csv?from=2026-10-01&to=2026-11-01"
WAITING = """
    SELECT count(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
"""


class Asking:
    """Clients of one web server, with the token of an admin."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.authorization = f"Bearer {token}"

    def __call__(self, address: str = ADDRESS, *, seconds: float = 60) -> http.client.HTTPConnection:
        """A client that has asked for an address: the large file."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        client.request("GET", address, headers={"Authorization": self.authorization})
        return client

    def status(self, address: str = ADDRESS, *, seconds: float = 60) -> int:
        """What is answered to a client that leaves then."""
        with closing(self(address, seconds=seconds)) as client:
            return client.getresponse().status


@pytest.fixture
def serve(engine, account, admin_user) -> Callable[..., Asking]:
    """Starts a web server with a large file."""
    connection = stored_connection(account)
    fill(connection.pk)
    token = caller(account, Role.ADMIN, admin_user).token
    port = free_port()

    def serving(**environment: str) -> Asking:
        engine.web(port, **environment)
        eventually(lambda: is_listening(port), "the web server listens")
        return Asking(port, token)

    return serving


@pytest.fixture
def ask(serve) -> Asking:
    return serve()


@pytest.fixture
def ask_impatient(serve) -> Asking:
    """A server that waits five seconds for its clients, instead of a minute."""
    return serve(GUNICORN_CMD_ARGS="--timeout 5")


def fill(connection_id) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO costs_costfact (connection_id, source, day, row_key, origin, extra, description, amount_usd,
                observed_at)
            SELECT %(connection)s, 'cost_report', date '2026-10-01', decode(md5(n::text), 'hex'), 'claude_platform',
                '{}', repeat('x', 120), n / 1000000.0, now()
            FROM generate_series(1, %(rows)s) AS n
            """,
            {"connection": connection_id, "rows": ROWS},
        )
        cursor.execute(
            """
            INSERT INTO costs_daydigest (connection_id, source, day, digest, row_count, amount_usd, as_of)
            SELECT connection_id, source, day, '', count(*), sum(amount_usd), %(as_of)s FROM costs_costfact
            GROUP BY connection_id, source, day
            """,
            {"as_of": dt.datetime(2026, 12, 1, tzinfo=dt.UTC)},
        )


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def in_transaction() -> int:
    with closing(connections.create_connection("default")) as other, other.cursor() as cursor:
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


def test_a_file_is_whole(ask):
    with closing(ask()) as client:
        answer = client.getresponse()
        content = answer.read()

    assert answer.getheader("Transfer-Encoding") == "chunked"
    assert content.count(b"\r\n") == ROWS + 1


def test_a_file_breaks_off_visibly_when_the_database_goes(ask):
    with closing(ask()) as client:
        answer = client.getresponse()
        answer.read(100_000)
        eventually(lambda: in_transaction() == 1, "the server waits for its client")

        with database.cursor() as cursor:
            cursor.execute(WAITING.replace("count(pid)", "pg_terminate_backend(pid)"))

        with pytest.raises(http.client.IncompleteRead):
            answer.read()


def test_a_client_that_leaves_lets_the_database_go(ask, engine):
    client = ask()
    client.getresponse().read(100_000)
    eventually(lambda: in_transaction() == 1, "the server waits for its client")

    client.close()

    eventually(lambda: in_transaction() == 0, "the transaction ended")
    with closing(ask()) as another:
        assert another.getresponse().read().count(b"\r\n") == ROWS + 1


def test_clients_that_stop_reading_lose_their_places(ask_impatient, engine):
    """Without a limit they would hold a place, a thread and, until it noticed, the database's transaction for ever."""
    with closing(ask_impatient()) as first, closing(ask_impatient()) as second:
        stalled = [first.getresponse(), second.getresponse()]
        assert [answer.read(3) for answer in stalled] == [b"day"] * 2
        assert ask_impatient.status() == 429

        eventually(lambda: ask_impatient.status() == 200, "a place is free", seconds=40)

        eventually(lambda: engine.read_logs().count("Gave a client up") == 2, "both were given up")
        eventually(lambda: in_transaction() == 0, "their transactions ended")
        with pytest.raises(http.client.IncompleteRead):
            stalled[0].read()


def test_a_client_that_stops_sending_is_told(ask_impatient):
    with closing(ask_impatient("/healthz/live")) as client:
        client.getresponse().read()
        client.putrequest("POST", "/api/v1/connections/test/")
        client.putheader("Authorization", ask_impatient.authorization)
        client.putheader("Content-Type", "application/json")
        client.putheader("Content-Length", "100")
        client.endheaders(b'{"api_key": ')

        answer = client.getresponse()

        assert (answer.status, json.load(answer)["code"]) == (408, "request_timeout")


def test_a_client_that_stops_in_its_headers_is_given_up(ask_impatient):
    with closing(socket.create_connection(("127.0.0.1", ask_impatient.port), timeout=40)) as client:
        client.sendall(b"GET /healthz/live HTTP/1.1\r\nHost: localh")

        assert client.recv(1) == b""
