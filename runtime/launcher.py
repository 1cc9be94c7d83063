"""Runs one management command: decides what it needs, provides it, hands over to Django, clears up."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import FrameType

from django.core.management import execute_from_command_line

from runtime import environment, folders, schema, stack
from runtime.embedded import EmbeddedServerError
from runtime.services import AlreadyRunningError, Services, attach_or_start
from runtime.supervisor import Supervisor

# What the processes that serve cannot do without.
GIVEN = ("DATABASE_URL", "REDIS_URL", *environment.SECRETS)


class Need(Enum):
    """What must be there before Django is set up."""

    NOTHING = "nothing"  # settings only
    SERVERS = "servers"  # and nobody touches the schema: these commands are about it
    SCHEMA = "schema"  # servers with every migration applied
    WORKERS = "workers"  # and somebody who does the work, for as long as the command runs
    GIVEN = "given"  # what web, worker and beat need, from outside: nothing is started or made
    OWN = "own"  # the folder for itself; the command does the rest


_NEEDS = {
    **dict.fromkeys(
        ("check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help", "makemessages",
         "spectacular", "startapp", "startproject", "version"), Need.NOTHING
    ),
    **dict.fromkeys(
        ("dbshell", "flush", "inspectdb", "makemigrations", "migrate", "optimizemigration", "showmigrations",
         "sqlflush", "sqlmigrate", "sqlsequencereset", "squashmigrations"), Need.SERVERS
    ),
    **dict.fromkeys(("test", "demo", "up"), Need.OWN),
    "connect": Need.WORKERS,
    "release": Need.GIVEN,
}  # fmt: skip


def need_of(argv: Sequence[str]) -> Need:
    """Decide from the command line what a command needs; an unknown command counts as one with a schema."""
    command = argv[1] if len(argv) > 1 else "help"
    if command != "test" and {"-h", "--help", "--version"} & set(argv[1:]):
        return Need.NOTHING
    if command == "sync" and "--wait" in argv:
        return Need.WORKERS
    return _NEEDS.get(command, Need.SCHEMA)


class _Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: ends a command the way Ctrl-C does, so that everything is cleared up."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number


def run(project: str, argv: list[str]) -> None:
    """Run the command in argv and exit with its status; nothing that it started is left."""
    command = argv[1] if len(argv) > 1 else "help"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if command not in {"test", "demo"}:  # neither must ever meet what is configured for real use
        environment.load_env_file(Path(project) / ".env")
    if refusal := refusal_of(command, need_of(argv), os.environ):
        sys.exit(refusal)
    let_signals_unwind(command)
    try:
        with _provided(Path(project), command, need_of(argv)):
            execute_from_command_line(argv)
    except (AlreadyRunningError, EmbeddedServerError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt as ended:
        # A signal is the ordinary end of what serves until then, and an interruption of everything else.
        status = ended.status if isinstance(ended, _Terminated) else 128 + signal.SIGINT
        sys.exit(0 if command in {"up", "demo"} else status)


def refusal_of(command: str, need: Need, environ: Mapping[str, str]) -> str:
    """Say why a command cannot run here; empty when it can. The image holds no servers, and keeps nothing."""
    in_image = bool(environ.get("TALLYSTICK_IMAGE"))
    if in_image and need is Need.OWN:
        remedy = (
            "Start web, worker and beat as docker-compose.yml does."
            if command == "up"
            else f"Run it in a copy of the source: python3 manage.py {command}"
        )
        return (
            f"`{command}` is not for the image, which holds the service without servers and tests. {remedy}"
        )
    lacking = [name for name in GIVEN if not environment.is_set(name, environ)]
    if lacking and (need is Need.GIVEN or (in_image and need is not Need.NOTHING)):
        return (
            f"{command}: {', '.join(lacking)} must be set, as for web, worker and beat, which read the same. "
            ".env.example says how to make and where to keep them."
        )
    return ""


def let_signals_unwind(command: str) -> None:
    """
    Have the signals that end a command raise KeyboardInterrupt in it.

    A script's background jobs inherit an ignored SIGINT. What serves until it is told to end must hear it all the same,
    and what it starts (pytest, servers) inherits what is set here. An ignored SIGHUP stays ignored: that is nohup's.
    """

    def end(number: int, _: FrameType | None) -> None:
        raise _Terminated(number)

    serves = _NEEDS.get(command) is Need.OWN
    if serves:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN or (serves and number != signal.SIGHUP):
            signal.signal(number, end)


@contextlib.contextmanager
def _provided(project: Path, command: str, need: Need) -> Iterator[None]:
    if need is Need.NOTHING:
        os.environ.update(_settings_only(project))
        yield
        return
    durable = command not in {"test", "demo"}
    with attach_or_start(project, durable=durable, name=command) as services:
        os.environ.update(services.environment())
        if need in {Need.SCHEMA, Need.WORKERS} and services.embeds_database:
            schema.apply_pending_migrations()
        with _workers(services) if need is Need.WORKERS else contextlib.nullcontext():
            if need is not Need.OWN:
                services.publish(has_workers=need is Need.WORKERS)
            yield


def _settings_only(project: Path) -> dict[str, str]:
    """Give valid settings without starting or writing anything: the kept secrets, or fresh ones unkept."""
    home = folders.home_of(project)
    kept = home / "secrets.env"
    secrets = environment.kept_secrets(kept) if kept.exists() else environment.new_secrets()
    sockets = home / "servers"
    addresses = {
        "DATABASE_URL": f"postgres://postgres@/{sockets / 'postgres-socket'}/postgres",
        "REDIS_URL": f"unix://{sockets / 'valkey-socket' / 'valkey.sock'}?db=0",
    }
    return {**environment.missing({**addresses, **secrets}), "TALLYSTICK_HOME": str(home)}


@contextlib.contextmanager
def _workers(services: Services) -> Iterator[None]:
    """Run a worker and beat when nobody does in this folder; servers given from outside have their own."""
    if services.attached_to is not None and services.attached_to.has_workers:
        yield
    elif services.servers or services.attached_to:
        with Supervisor(
            [stack.beat(services.home), stack.worker()], services.home / "logs", servers=services.servers
        ):
            yield
    else:
        yield
