"""Who runs in this folder: the lock that says so, and the record through which other commands attach."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.folders import Lock


@dataclass(frozen=True, slots=True)
class Running:
    """A command that holds servers: where it can be reached and what others need to use the same servers."""

    pid: int
    command: str
    environment: dict[str, str]
    address: str = ""
    has_workers: bool = False

    def describe(self) -> str:
        """Say which process it is, for a sentence."""
        return f"manage.py {self.command}, pid {self.pid}" + (f", {self.address}" if self.address else "")


class Post:
    """One of the two places in a folder that a command can hold: `run` (its data) and `demo`."""

    def __init__(self, home: Path, name: str) -> None:
        """Name the place; nothing is opened yet."""
        self.owner = Lock(home / f"{name}.lock")
        self.guests = Lock(home / f"{name}-guests.lock")
        self._path = home / f"{name}.json"

    def publish(self, running: Running) -> None:
        """Let others attach. The record holds secrets, so only its owner may read it."""
        unfinished = self._path.with_suffix(".new")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(running), file)
        unfinished.rename(self._path)

    def withdraw(self) -> None:
        """Let nobody else attach."""
        self._path.unlink(missing_ok=True)

    def find(self) -> Running | None:
        """Give the command that runs here, None when there is none or it is not ready for guests yet."""
        # The lock dies with its holder, so a record without one was left by a killed command.
        if not self.owner.is_held():
            return None
        with contextlib.suppress(FileNotFoundError):
            return Running(**json.loads(self._path.read_text(encoding="utf-8")))
        return None
