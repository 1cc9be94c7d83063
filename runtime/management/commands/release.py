"""`release`: what a new release needs before web, worker and beat start, on an empty database too."""

import io
import logging
import os
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from runtime import preparing

_log = logging.getLogger("runtime.release")
_log.setLevel(logging.INFO)  # whatever LOG_LEVEL says: a password is among it, and said once


class _Log(io.TextIOBase):
    """Takes what commands print for people, and logs it line by line."""

    _rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = f"{self._rest}{text}".split("\n")
        for line in filter(None, (each.strip() for each in lines)):
            _log.info(line)
        return len(text)


class Command(BaseCommand):
    help = (
        "Prepares this release: applies migrations, sees that the ring opens what is stored, and makes the first "
        "administrator on an empty database, whose password it logs once. Repeat it as often as you like."
    )
    requires_system_checks = []

    def handle(self, *_: Any, **__: Any) -> None:
        out = _Log()
        preparing.patiently(lambda: preparing.prepare(self, out, verbosity=1), (), _log.warning)
        _log.info("The database is ready for this release.")
        if os.environ.get("HONCHO_PROCESS_NAME"):
            _log.info("Started by honcho beside the others; staying, as it would end them with this process.")
            connections.close_all()
            threading.Event().wait()
