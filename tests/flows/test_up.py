"""`up` as a stranger runs it for the first time: it serves, says how to sign in, and ends with its signal."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.flows.conftest import eventually
from tests.ports import free_port

pytestmark = pytest.mark.flow

PROJECT = Path(__file__).resolve().parents[2]
# `up` brings its own of these.
OWN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CREDENTIAL_KEYS", "TALLYSTICK_HOME")


def test_lets_the_first_administrator_in_with_the_printed_password():
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    # A short path: sockets lie in it, and their names may have about a hundred characters.
    with (
        tempfile.TemporaryDirectory(prefix="up-", dir="/tmp") as home,
        tempfile.TemporaryFile("w+") as output,
    ):
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            cwd=PROJECT, env={**environment, "TALLYSTICK_HOME": home}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            said = read_until(output, process, "Tallystick is at")
            first = re.search(r"Sign in as (\S+) with password (\S+)", said)
            pages = sign_in(f"http://127.0.0.1:{port}", first[1], first[2])
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(60)

    assert "admin@tallystick.local signed in with a password" in pages["/settings/audit/"]
    assert "You are an operator of this installation" in pages["/admin/"]
    assert status == 0


def read_until(output, process: subprocess.Popen, words: str) -> str:
    def read() -> str:
        output.seek(0)
        return output.read()

    eventually(lambda: words in read() or process.poll() is not None, "it serves", seconds=120)
    assert words in read(), read()[-2000:]
    return read()


def sign_in(base: str, email: str, password: str) -> dict[str, str]:
    """Sign in with the form and return some pages; the operators' lead to where a second factor is added."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(jar)
    form = browser.open(f"{base}/accounts/login/").read().decode()
    mark = re.search(r'csrfmiddlewaretoken" value="(\w+)"', form)[1]
    fields = {"csrfmiddlewaretoken": mark, "login": email, "password": password}
    browser.open(f"{base}/accounts/login/", urllib.parse.urlencode(fields).encode())
    return {path: browser.open(base + path).read().decode() for path in ("/settings/audit/", "/admin/")}
