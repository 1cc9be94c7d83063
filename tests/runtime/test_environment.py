"""`.env` and the kept secrets."""

import base64
import stat

import pytest

from runtime import environment


class TestParseEnvFile:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("A=1", {"A": "1"}),
            ("export A = 1 # why", {"A": "1"}),
            ("A='x # y'", {"A": "x # y"}),
            ('A="x"  # y', {"A": "x"}),
            ("A=postgres://u:p#q@h/d", {"A": "postgres://u:p#q@h/d"}),
            ("A=", {"A": ""}),
            ("A= # empty", {"A": ""}),
            ("# A=1", {}),
            ("nonsense", {}),
        ],
    )
    def test_reads_a_line(self, line, expected):
        assert environment.parse_env_file(line) == expected


class TestLoadEnvFile:
    def test_does_not_override_what_is_set_by_value_or_file(self, tmp_path, monkeypatch):
        (tmp_path / ".env").write_text("SECRET_KEY=a\nCREDENTIAL_KEYS=b\nREDIS_URL=c\n")
        monkeypatch.setenv("SECRET_KEY", "mine")
        monkeypatch.setenv("CREDENTIAL_KEYS_FILE", "/run/keys")

        environment.load_env_file(tmp_path / ".env")

        assert environment.os.environ["SECRET_KEY"] == "mine"
        assert "CREDENTIAL_KEYS" not in environment.os.environ
        assert environment.os.environ["REDIS_URL"] == "c"
        monkeypatch.delenv("REDIS_URL")


class TestKeptSecrets:
    def test_makes_them_once_and_keeps_them_private(self, tmp_path):
        path = tmp_path / "secrets.env"

        first = environment.kept_secrets(path)

        assert environment.kept_secrets(path) == first
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(base64.b64decode(first["CREDENTIAL_KEYS"].partition(":")[2], validate=True)) == 32

    def test_never_gives_two_rings_keys_of_one_id(self):
        made = [environment.new_secrets()["CREDENTIAL_KEYS"].partition(":")[0] for _ in range(2)]

        assert made[0] != made[1]

    def test_completes_a_file_that_lacks_one(self, tmp_path):
        path = tmp_path / "secrets.env"
        path.write_text("CREDENTIAL_KEYS=k9:mine\nOTHER=kept\n")

        made = environment.kept_secrets(path)

        assert made["CREDENTIAL_KEYS"] == "k9:mine"
        assert made["SECRET_KEY"]
        assert "OTHER=kept" in path.read_text()
