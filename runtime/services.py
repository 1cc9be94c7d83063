"""The pair of servers a command needs: those given, those of a command that runs here, or embedded ones."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runtime import environment, folders
from runtime.embedded import EmbeddedServer, Place
from runtime.postgres import Postgres
from runtime.running import Post, Running
from runtime.valkey import Valkey

THROW_AWAY = frozenset({"demo", "test"})
_SERVERS: dict[str, tuple[type[EmbeddedServer], str]] = {
    "DATABASE_URL": (Postgres, "postgres"),
    "REDIS_URL": (Valkey, "valkey"),
}
_ATTACH_SECONDS = 60  # a first command makes the cluster and applies all migrations before others may join
_HOLDER_SECONDS = 10


class AlreadyRunningError(RuntimeError):
    """Another command holds this folder's servers; the message names it."""


@dataclass(slots=True)
class Services:
    """What one command runs on; `servers` holds only what this process started itself."""

    name: str
    home: Path
    values: dict[str, str]
    servers: list[EmbeddedServer] = field(default_factory=list)
    attached_to: Running | None = None
    post: Post | None = None

    def environment(self) -> dict[str, str]:
        """Give the variables to export: DATABASE_URL, REDIS_URL and the secrets, as far as they are not set."""
        return {**self.values, "TALLYSTICK_HOME": str(self.home)}

    @property
    def embeds_database(self) -> bool:
        """Whether the database is ours, so that its schema is ours to migrate."""
        return any(isinstance(server, Postgres) for server in self.servers)

    def find(self, kind: type[EmbeddedServer]) -> EmbeddedServer | None:
        """Give the embedded server of a kind (`Postgres`, `Valkey`); None when it is somebody else's."""
        return next((server for server in self.servers if isinstance(server, kind)), None)

    def publish(self, *, address: str = "", has_workers: bool = False, command: str = "") -> None:
        """Let other commands in this folder use the same servers, with all settings of this process."""
        if self.post:
            shared = {name: os.environ[name] for name in _shared_names() if os.environ.get(name)}
            self.post.publish(
                Running(
                    os.getpid(), command or self.name, {**shared, **self.environment()}, address, has_workers
                )
            )


_current: list[Services] = []


def current() -> Services:
    """Give the services of this command; RuntimeError when it was not started through manage.py."""
    if not _current:
        raise RuntimeError("No services were prepared: start this command with python3 manage.py.")
    return _current[-1]


def _shared_names() -> tuple[str, ...]:
    return (
        *_SERVERS,
        *environment.SECRETS,
        *(f"{name}_FILE" for name in environment.SECRETS),
        "ANTHROPIC_BASE_URL",
        "PUBLIC_URL",
    )


@contextlib.contextmanager
def attach_or_start(project_root: Path, *, durable: bool, name: str) -> Iterator[Services]:
    """
    Give a block the servers it needs; what was started for it ends with it.

    `up` takes the folder for itself, `demo` and `test` get fresh servers that vanish, any other name uses
    the folder's data: through the command that runs here, or with servers of its own. DATABASE_URL and
    REDIS_URL win where they are set, each for itself (except in `demo`, which must never meet real data).

    Raises:  AlreadyRunningError; EmbeddedServerError when a server cannot be started.
    Effects: processes, files under the work folder; nothing in os.environ.
    """
    home = folders.home_of(project_root)
    if name in THROW_AWAY:
        manager = _thrown_away(home, name, durable=durable)
    elif name == "up":
        manager = _owned(home, name, durable=durable)
    else:
        manager = _joined(home, name, durable=durable)
    with manager as services:
        _current.append(services)
        try:
            yield services
        finally:
            _current.remove(services)


@contextlib.contextmanager
def _thrown_away(home: Path, name: str, *, durable: bool) -> Iterator[Services]:
    post = Post(home, name) if name == "demo" else None
    # A second demo runs as well, but only the first is found by other commands.
    post = post if post and post.owner.acquire() else None
    needed = list(_SERVERS) if name == "demo" else _absent()
    try:
        with (
            folders.throw_away_folder(home, name) as base,
            _started(base, base, needed, durable=durable) as servers,
        ):
            values = {**_urls(servers), **environment.missing(environment.new_secrets())}
            yield Services(name, home, values, list(servers.values()), post=post)
    finally:
        if post:
            post.withdraw()
            post.owner.release()


@contextlib.contextmanager
def _owned(home: Path, name: str, *, durable: bool) -> Iterator[Services]:
    post = Post(home, "run")
    _take(post)
    try:
        with _persistent(home, name, post, durable=durable) as services:
            yield services
    finally:
        post.withdraw()
        post.owner.release()


def _take(post: Post) -> None:
    deadline = time.monotonic() + _HOLDER_SECONDS
    while not post.owner.acquire(seconds=0.5):
        holder = post.find()
        if holder and holder.command == "up":
            raise AlreadyRunningError(
                f"Tallystick is already running in this folder ({holder.describe()}). "
                f"Stop it with Ctrl-C there, or with: kill {holder.pid}"
            )
        if time.monotonic() > deadline:
            who = holder.describe() if holder else "it is still starting"
            raise AlreadyRunningError(
                f"Another command uses this folder's servers ({who}). Repeat when it has ended."
            )


@contextlib.contextmanager
def _joined(home: Path, name: str, *, durable: bool) -> Iterator[Services]:
    if not _absent():
        yield Services(name, home, _secrets(home))
        return
    deadline = time.monotonic() + _ATTACH_SECONDS
    while time.monotonic() < deadline:
        for post in (Post(home, "run"), Post(home, "demo")):
            # First the guest's lock, then a second look: the holder leaves only when it has no guest.
            if (running := post.find()) and post.guests.acquire(shared=True):
                try:
                    if post.find() == running:
                        yield Services(
                            name, home, environment.missing(running.environment), attached_to=running
                        )
                        return
                finally:
                    post.guests.release()
        post = Post(home, "run")
        if post.owner.acquire():
            try:
                with _persistent(home, name, post, durable=durable) as services, _outlasting_guests(post):
                    yield services
            finally:
                post.withdraw()
                post.owner.release()
                post.guests.release()
            return
        time.sleep(0.05)
    raise AlreadyRunningError(
        f"Another command has been preparing this folder for {_ATTACH_SECONDS} seconds."
    )


@contextlib.contextmanager
def _outlasting_guests(post: Post) -> Iterator[None]:
    """Keep the servers for commands that attached to them, unless a signal ends this one."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        _wait_for_guests(post)
        raise
    else:
        _wait_for_guests(post)


def _wait_for_guests(post: Post) -> None:
    if post.guests.acquire():
        return
    print("Another command still uses the servers of this one; waiting for it.", file=sys.stderr, flush=True)
    while not post.guests.acquire(seconds=1):
        continue


@contextlib.contextmanager
def _persistent(home: Path, name: str, post: Post, *, durable: bool) -> Iterator[Services]:
    absent = _absent()
    values = _secrets(home)
    base = folders.persistent_folder(home) if absent else home
    with _started(base, home / "logs", absent, durable=durable) as servers:
        yield Services(name, home, {**_urls(servers), **values}, list(servers.values()), post=post)


def _secrets(home: Path) -> dict[str, str]:
    if all(environment.is_set(name, os.environ) for name in environment.SECRETS):
        return {}  # a second ring in a file would only make people wonder which one counts
    with folders.Lock(home / "secrets.lock").held(seconds=30):
        return environment.missing(environment.kept_secrets(home / "secrets.env"))


def _absent() -> list[str]:
    return [name for name in _SERVERS if not environment.is_set(name, os.environ)]


def _urls(servers: dict[str, EmbeddedServer]) -> dict[str, str]:
    return {name: server.url for name, server in servers.items()}


@contextlib.contextmanager
def _started(
    base: Path, logs: Path, needed: list[str], *, durable: bool
) -> Iterator[dict[str, EmbeddedServer]]:
    with contextlib.ExitStack() as stack:
        servers: dict[str, EmbeddedServer] = {}
        for name in needed:
            kind, short = _SERVERS[name]
            owner = folders.server_owner() if kind is Postgres else None  # Redis does not mind being root
            sockets = stack.enter_context(folders.socket_folder(base, short, owner))
            server = kind(Place(base, sockets, logs / f"{short}.log", owner), durable=durable)
            stack.callback(server.stop)
            server.start()
            servers[name] = server
        yield servers
