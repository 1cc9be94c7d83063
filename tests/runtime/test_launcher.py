"""What each command needs, and whole commands through manage.py's launcher with a tiny project."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.launcher import GIVEN, Need, need_of, refusal_of

PROJECT = Path(__file__).resolve().parents[2]
# A script's background jobs inherit an ignored SIGINT, and whoever wants may ignore SIGTERM, too.
_IN_THE_BACKGROUND = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
from runtime import launcher
launcher.let_signals_unwind(sys.argv[1])
try:
    print(*(each.name for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_IGN), flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("cleared up")
"""


class TestNeedOf:
    @pytest.mark.parametrize(
        ("arguments", "need"),
        [
            ([], Need.NOTHING),
            (["help", "up"], Need.NOTHING),
            (["up", "--help"], Need.NOTHING),
            (["check"], Need.NOTHING),
            (["collectstatic", "--noinput"], Need.NOTHING),
            (["makemigrations", "--check"], Need.SERVERS),
            (["migrate"], Need.SERVERS),
            (["issue_token", "--name", "x"], Need.SCHEMA),
            (["shell"], Need.SCHEMA),
            (["connect", "--key-stdin"], Need.WORKERS),
            (["sync", "--connection", "1", "--wait"], Need.WORKERS),
            (["sync", "--connection", "1"], Need.SCHEMA),
            (["up", "--port", "1"], Need.OWN),
            (["test", "-h"], Need.OWN),
        ],
    )
    def test_follows_the_command_line(self, arguments, need):
        assert need_of(["manage.py", *arguments]) is need


class TestRefusal:
    ALL = dict.fromkeys(GIVEN, "x")
    IMAGE = {"TALLYSTICK_IMAGE": "1"}

    @pytest.mark.parametrize(
        ("command", "environ"),
        [
            ("release", ALL),
            ("release", {**ALL, "SECRET_KEY": "", "SECRET_KEY_FILE": "/run/secret"}),
            ("doctor", {}),
            ("up", {}),
            ("doctor", {**ALL, **IMAGE}),
            ("check", IMAGE),
            ("collectstatic", IMAGE),
        ],
    )
    def test_is_nothing_where_it_can_run(self, command, environ):
        assert refusal_of(command, need_of(["manage.py", command]), environ) == ""

    @pytest.mark.parametrize(
        ("command", "environ", "told"),
        [
            ("release", {}, "release: DATABASE_URL, REDIS_URL, SECRET_KEY, CREDENTIAL_KEYS must be set"),
            ("release", {**ALL, "CREDENTIAL_KEYS": ""}, "release: CREDENTIAL_KEYS must be set"),
            ("connect", {**ALL, **IMAGE, "SECRET_KEY": ""}, "connect: SECRET_KEY must be set"),
            ("up", {**ALL, **IMAGE}, "`up` is not for the image"),
            ("demo", {**ALL, **IMAGE}, "`demo` is not for the image"),
            ("test", {**ALL, **IMAGE}, "`test` is not for the image"),
        ],
    )
    def test_names_what_is_missing(self, command, environ, told):
        assert refusal_of(command, need_of(["manage.py", command]), environ).startswith(told)

    @pytest.mark.parametrize("command", ["up", "demo", "test"])
    def test_in_the_image_is_a_sentence(self, command):
        ended = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": os.environ["PATH"], "TALLYSTICK_IMAGE": "1", "TALLYSTICK_NO_VENV": "1"},
        )  # fmt: skip

        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
        assert ended.stderr.startswith(f"`{command}` is not for the image")


class TestSignals:
    @pytest.fixture
    def in_the_background(self):
        """Start a command's signal set-up as a background job of a script."""
        started = []

        def start(command):
            process = subprocess.Popen(
                [sys.executable, "-c", _IN_THE_BACKGROUND, command],
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                text=True,
            )
            started.append(process)
            return process, process.stdout.readline().split()

        yield start
        for process in started:
            process.kill()
            process.communicate()

    @pytest.mark.parametrize("command", ["up", "demo", "test"])
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_end_what_serves_though_a_script_started_it_in_the_background(
        self, in_the_background, command, number
    ):
        process, ignored = in_the_background(command)

        process.send_signal(number)

        assert process.communicate(timeout=10)[0] == "cleared up\n"
        assert ignored == ["SIGHUP"]

    def test_leave_other_commands_to_the_script(self, in_the_background):
        _, ignored = in_the_background("sync")

        assert ignored == ["SIGINT", "SIGTERM", "SIGHUP"]
