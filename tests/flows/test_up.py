"""`up` as a stranger runs it for the first time: it serves, says how to sign in, and ends with its signal."""

from __future__ import annotations

import contextlib
import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import pytest

from tests.flows.conftest import eventually
from tests.ports import free_port

pytestmark = pytest.mark.flow

PROJECT = Path(__file__).resolve().parents[2]
# `up` brings its own of these.
OWN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CREDENTIAL_KEYS", "TALLYSTICK_HOME")


class Interrupted:
    """A command as a script starts it in the background, where SIGINT is inherited as ignored."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], output: IO[str]) -> None:
        self.output = output
        self.status: int | None = None
        # A Python between: between fork and exec nothing may be done in a process with threads.
        ignoring = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", ignoring, sys.executable, "manage.py", *arguments],
            cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def said(self) -> str:
        self.output.seek(0)
        return self.output.read()

    def read_until(self, words: str) -> str:
        eventually(lambda: words in self.said() or self.process.poll() is not None, words, seconds=120)
        assert words in self.said(), self.said()[-2000:]
        return self.said()


@contextlib.contextmanager
def interrupted(arguments: list[str], environment: Mapping[str, str]) -> Iterator[Interrupted]:
    """A command that is ended by SIGINT when the block ends, by force when that does not help."""
    with tempfile.TemporaryFile("w+") as output:
        command = Interrupted(arguments, environment, output)
        try:
            yield command
        finally:
            command.process.send_signal(signal.SIGINT)
            try:
                command.status = command.process.wait(60)
            finally:
                command.process.kill()


@pytest.fixture
def fresh() -> Iterator[dict[str, str]]:
    """The environment of a machine on which nothing is set up."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    # A short path: sockets lie in it, and their names may have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="up-", dir="/tmp") as home:
        Path(home).chmod(0o755)  # closed to the server's user, it would send the data elsewhere
        yield {**environment, "TALLYSTICK_HOME": home}


def test_lets_the_first_administrator_in_with_the_printed_password(fresh):
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with interrupted(["up", "--port", str(port)], fresh) as up:
        said = up.read_until("Tallystick is at")
        first = re.search(r"Sign in as (\S+) with password (\S+)", said)
        pages = sign_in(base, first[1], first[2], "/settings/audit/", "/admin/", "/exports/")
        invited = subprocess.run(
            [sys.executable, "manage.py", "invite", "bob@example.com", "--role", "viewer"],
            cwd=PROJECT, env=fresh, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert "admin@tallystick.local signed in with a password" in pages["/settings/audit/"]
    assert "You are an operator of this installation" in pages["/admin/"]
    assert f"{base}/api/v1/exports/" in pages["/exports/"]
    assert invited.stdout.startswith(f"{base}/invitations/"), invited.stderr
    assert up.status == 0


def test_goes_on_when_the_database_dies_while_it_starts(fresh):
    """Between the start of the server and that of its supervisor, nobody else would start it again."""
    with interrupted(["up", "--port", str(free_port())], fresh) as up:
        record = Path(fresh["TALLYSTICK_HOME"], "servers/postgres/postmaster.pid")
        eventually(
            lambda: record.exists() and "ready" in record.read_text(), "the server is ready", seconds=120
        )

        os.kill(int(record.read_text().splitlines()[0]), signal.SIGKILL)

        said = up.read_until("Tallystick is at")

    assert "Sign in as" in said
    assert up.status == 0


def sign_in(base: str, email: str, password: str, *paths: str) -> dict[str, str]:
    """Sign in with the form and return some pages; the operators' lead to where a second factor is added."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(jar)
    form = browser.open(f"{base}/accounts/login/").read().decode()
    mark = re.search(r'csrfmiddlewaretoken" value="(\w+)"', form)[1]
    fields = {"csrfmiddlewaretoken": mark, "login": email, "password": password}
    browser.open(f"{base}/accounts/login/", urllib.parse.urlencode(fields).encode())
    return {path: browser.open(base + path).read().decode() for path in paths}
