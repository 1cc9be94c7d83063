"""The lab's own PostgreSQL and Redis, with the paths on which processes reach them."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from runtime import folders
from runtime.embedded import Place
from runtime.postgres import Postgres
from runtime.processes import Program
from runtime.valkey import Valkey
from tests.faults.proxy import Proxy


class LabRedis(Valkey):
    """Redis or Valkey with a password, because the proxy in front of it listens on a port."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, durable=False)
        self.password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return f"unix://:{self.password}@{self.socket_path}?db=0"

    def client(self) -> redis.Redis:
        """A client that no fault of the proxy touches."""
        return redis.Redis.from_url(self.url, socket_timeout=10)

    def forget(self) -> None:
        """Remove what a stopped server kept on disk."""
        shutil.rmtree(self._data, ignore_errors=True)

    def _program(self) -> Program:
        program = super()._program()
        return Program(
            argv=(*program.argv, "--requirepass", self.password),
            log=program.log, folder=program.folder, death_signal=program.death_signal,
        )  # fmt: skip

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                connection.recv(64)
                connection.sendall(command)
                return connection.recv(64)
            except OSError:
                return b""


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers, and a proxy on the way of workers and beat to each."""

    base: Path
    postgres: Postgres
    redis: LabRedis
    postgres_path: Proxy
    redis_path: Proxy
    proxied_database_url: str

    @property
    def proxied_redis_url(self) -> str:
        """Where workers and beat find Redis: TCP, as in production."""
        return f"redis://:{self.redis.password}@127.0.0.1:{self.redis_path.port}/0"


@contextlib.contextmanager
def started(home: Path) -> Iterator[Servers]:
    """Start both in a folder that vanishes afterwards."""
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(folders.throw_away_folder(home, "faults"))
        owner = folders.server_owner()
        sockets = {
            name: stack.enter_context(folders.socket_folder(base, name, who))
            for name, who in (("pg", owner), ("redis", None), ("pg-path", None))
        }
        postgres = Postgres(Place(base, sockets["pg"], base / "postgres.log", owner), durable=False)
        stack.callback(postgres.stop)
        postgres.start()
        server = LabRedis(Place(base, sockets["redis"], base / "redis.log", None))
        stack.callback(server.stop)
        server.start()
        # A unix socket on both sides: PostgreSQL lets this user in by who they are, without a password.
        postgres_path = Proxy(sockets["pg"] / ".s.PGSQL.5432", sockets["pg-path"] / ".s.PGSQL.5432")
        stack.callback(postgres_path.stop)
        redis_path = Proxy(server.socket_path)
        stack.callback(redis_path.stop)
        url = f"postgres://postgres@/{sockets['pg-path']}/postgres"
        yield Servers(base, postgres, server, postgres_path, redis_path, url)
