"""`up`: web, workers and beat for real use, until Ctrl-C."""

import argparse
import contextlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runtime import preparing, services, stack
from runtime.supervisor import Supervisor, announce_on_stderr

_LAST_PORT = 65535


class Command(BaseCommand):
    help = "Runs Tallystick: web, workers and beat, with the embedded PostgreSQL and Redis unless others are set."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=8000, help="where the pages are served (default 8000)"
        )
        parser.add_argument(
            "--workers", type=int, default=1, help="worker processes of 16 threads (default 1)"
        )

    def handle(self, *_: Any, port: int, workers: int, **__: Any) -> None:
        if not 0 < port <= _LAST_PORT or workers < 1:
            raise CommandError("--port is a number from 1 to 65535, --workers one of at least 1.")
        try:
            stack.check_port(port)
        except stack.PortError as error:
            raise CommandError(str(error)) from error
        stack.tell_address(port)
        preparing.patiently(self._prepare, services.current().servers, announce_on_stderr)
        self._serve(port, workers)

    def _prepare(self) -> None:
        preparing.prepare(self, self.stdout, verbosity=0)

    def _serve(self, port: int, workers: int) -> None:
        running = services.current()
        specs = [
            stack.web(port),
            stack.beat(running.home),
            *(stack.worker(number) for number in range(1, workers + 1)),
        ]
        with Supervisor(specs, running.home / "logs", servers=running.servers) as supervisor:
            address = f"{stack.address_of(port)}/"
            running.publish(address=address, has_workers=True)
            if not stack.wait_until_live(supervisor, port):
                raise CommandError(f"The web server does not answer; its log: {supervisor.log('web')}")
            self._say(f"Tallystick is at {address}  (Ctrl-C ends it; logs are in {running.home / 'logs'})")
            supervisor.wait()

    def _say(self, line: str) -> None:
        # A terminal that was closed must not end the service before its signal does.
        with contextlib.suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()
