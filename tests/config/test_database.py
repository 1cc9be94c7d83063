"""The connection to PostgreSQL, over TCP as in production: a proxy stands before the socket of the tests' server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database
from django.db.utils import ConnectionHandler

from tests.faults.proxy import Proxy

SOCKET = Path(settings.DATABASES["default"]["HOST"], ".s.PGSQL.5432")


@pytest.fixture
def over_tcp(db) -> Iterator[socket.socket]:
    path = Proxy(SOCKET)
    given = {**database.settings_dict, "HOST": "127.0.0.1", "PORT": str(path.port)}
    wrapper = ConnectionHandler({"default": given})["default"]
    wrapper.ensure_connection()
    seen = socket.socket(fileno=os.dup(wrapper.connection.fileno()))
    yield seen
    seen.close()
    wrapper.close()
    path.stop()


@pytest.mark.skipif(not SOCKET.is_socket(), reason="needs a PostgreSQL on a socket of this machine")
def test_server_that_vanished_is_noticed_within_half_a_minute(over_tcp):
    """Idle: 10 s and three probes 5 s apart; with something unanswered under way: 20 s."""
    assert over_tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert over_tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
    assert over_tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 5
    assert over_tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
    assert over_tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
