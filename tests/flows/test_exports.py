"""Files from the real web server: whole, or visibly broken off; and nothing of them stays behind."""

from __future__ import annotations

import datetime as dt
import http.client
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


@pytest.fixture
def ask(engine, account, admin_user) -> Callable[[], http.client.HTTPConnection]:
    """A client that has asked a running web server for a large file, once for each call."""
    connection = stored_connection(account)
    fill(connection.pk)
    token = caller(account, Role.VIEWER, admin_user).token
    port = free_port()
    engine.web(port)
    eventually(lambda: is_listening(port), "the web server listens")

    def start() -> http.client.HTTPConnection:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request("GET", ADDRESS, headers={"Authorization": f"Bearer {token}"})
        return client

    return start


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
