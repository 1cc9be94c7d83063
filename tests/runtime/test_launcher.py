"""What each command needs, and whole commands through manage.py's launcher with a tiny project."""

import pytest

from runtime.launcher import Need, need_of


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
