"""Does what the database is needed for before anything serves, also when it goes away meanwhile; knows no model."""

import time
from collections.abc import Callable, Sequence
from io import TextIOBase
from typing import TypeVar

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connections

from runtime.embedded import EmbeddedServer

_Result = TypeVar("_Result")
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


def patiently(
    work: Callable[[], _Result], servers: Sequence[EmbeddedServer], announce: Callable[[str], None]
) -> _Result:
    """
    Do `work`, from its beginning whenever the database went away; repeating it must do no harm.

    Raises:  CommandError when the database still does not answer after a minute
    Effects: starts those of `servers` again that have died; nobody supervises them yet
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    told = ""
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            cause = str(error).strip()
            if time.monotonic() > deadline:
                raise CommandError(f"The database does not answer: {cause}") from error
            if cause != told:
                announce(f"The database does not answer ({cause}); trying again …")
                told = cause
        connections.close_all()
        for server in servers:
            server.start()
        time.sleep(_PAUSE_SECONDS)


def prepare(command: BaseCommand, out: TextIOBase, *, verbosity: int) -> None:
    """Apply migrations, see that the ring opens what is stored, make the first administrator; repeating it is harmless."""
    call_command("migrate", interactive=False, verbosity=verbosity, stdout=out)
    # A ring that cannot open what is stored would only end each process after the other.
    command.check(tags=["database"], databases=["default"])
    call_command("ensure_admin", stdout=out)
