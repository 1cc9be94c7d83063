from __future__ import annotations

import base64
import datetime as dt
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection
from kombu.exceptions import OperationalError

from foundation import env
from runtime.embedded import Place
from tests.faults.servers import LabRedis

KEY = base64.b64encode(b"k" * 32).decode()


class TestSecret:
    def test_comes_from_a_file_when_named(self, monkeypatch, tmp_path):
        (tmp_path / "secret").write_text("from the file\n")
        monkeypatch.setenv("NAME_FILE", str(tmp_path / "secret"))

        assert env.secret("NAME") == "from the file"

    def test_refuses_both_forms_at_once(self, monkeypatch, tmp_path):
        monkeypatch.setenv("NAME", "a")
        monkeypatch.setenv("NAME_FILE", str(tmp_path))

        with pytest.raises(ImproperlyConfigured, match="NAME: both NAME and NAME_FILE are set"):
            env.secret("NAME")

    def test_names_the_missing_variable(self):
        with pytest.raises(ImproperlyConfigured, match="Set NAME, or NAME_FILE"):
            env.secret("NAME")

    def test_names_a_file_that_cannot_be_read(self, monkeypatch):
        monkeypatch.setenv("NAME_FILE", "/nowhere/at/all")

        with pytest.raises(ImproperlyConfigured, match="NAME_FILE: cannot read"):
            env.secret("NAME")


def ring_of_a_service() -> str:
    """Stands for a function that asks a key management service."""
    return f"kms-7:{KEY}"


def ring_that_is_none() -> bytes:
    return b"secret bytes"


class TestKeyRingProvider:
    def test_gives_the_ring(self):
        assert env.key_ring("NAME", provider=f"{__name__}:ring_of_a_service") == (("kms-7", b"k" * 32),)

    def test_is_refused_beside_a_ring(self, monkeypatch):
        monkeypatch.setenv("NAME", f"k1:{KEY}")

        with pytest.raises(ImproperlyConfigured, match="NAME_PROVIDER: NAME or NAME_FILE is set, too"):
            env.key_ring("NAME", provider=f"{__name__}:ring_of_a_service")

    @pytest.mark.parametrize("provider", ["nowhere:f", f"{__name__}:nothing", "x", ":f"])
    def test_is_named_when_it_is_not_there(self, provider):
        with pytest.raises(ImproperlyConfigured, match="NAME_PROVIDER: there is no"):
            env.key_ring("NAME", provider=provider)

    def test_shows_nothing_of_a_wrong_answer(self):
        with pytest.raises(ImproperlyConfigured, match="did not return text") as caught:
            env.key_ring("NAME", provider=f"{__name__}:ring_that_is_none")

        assert "secret bytes" not in str(caught.value)


class TestBadValue:
    @pytest.mark.parametrize(
        ("read", "value", "words"),
        [
            (lambda: env.whole("NAME", "1", low=1, high=9), "ten", "'ten' is not a number"),
            (lambda: env.whole("NAME", "1", low=1, high=9), "10", "out of range"),
            (lambda: env.whole("NAME", "1", low=1, high=9), "1.5", "not a whole number"),
            (lambda: env.time_of_day("NAME", "06:00"), "6:00", "Write it as HH:MM"),
            (lambda: env.http_url("NAME", ""), "ftp://x", "not an http"),
            (lambda: env.http_url("NAME", ""), "https://user@x", "not an http"),
            (lambda: env.https_url("NAME", "https://x"), "http://api.example.com", "not encrypted"),
            (lambda: env.https_url("NAME", "https://x"), "http://127.0.0.1.example.com", "not encrypted"),
            (lambda: env.redis_url("NAME"), "http://x", "not a redis"),
            (lambda: env.key_ring("NAME"), "nocolon", "no key id before a colon"),
            (lambda: env.key_ring("NAME"), "k1:???", "not base64"),
            (lambda: env.key_ring("NAME"), "k1:AAAA", "has 3 bytes"),
            (lambda: env.key_ring("NAME"), f"k1:{KEY},k1:{KEY}", "stands twice"),
            (lambda: env.key_ring("NAME"), " , ", "ring is empty"),
        ],
    )
    def test_names_variable_cause_and_remedy(self, monkeypatch, read, value, words):
        monkeypatch.setenv("NAME", value)

        with pytest.raises(ImproperlyConfigured, match=words) as caught:
            read()

        assert str(caught.value).startswith("NAME: ")

    def test_never_shows_a_secret(self, monkeypatch):
        monkeypatch.setenv("NAME", "k1:c2VjcmV0")

        with pytest.raises(ImproperlyConfigured) as caught:
            env.key_ring("NAME")

        assert "c2VjcmV0" not in str(caught.value)


@pytest.fixture
def locked_redis():
    """A server on a socket that wants a password with characters that an address has to escape."""
    folder = Path(tempfile.mkdtemp(prefix="ts-"))
    server = LabRedis(Place(folder, folder, folder / "redis.log", None))
    server.password = "p@ss:w/rd?%41&b"
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


class TestGoodValue:
    def test_of_a_time_is_utc(self, monkeypatch):
        monkeypatch.setenv("NAME", "23:05")

        assert env.time_of_day("NAME", "06:00") == dt.time(23, 5, tzinfo=dt.UTC)

    @pytest.mark.parametrize(
        "address", ["http://127.0.0.1:8700", "http://[::1]:8700", "https://api.example.com"]
    )
    def test_of_where_keys_travel_is_encrypted_or_this_machine(self, monkeypatch, address):
        monkeypatch.setenv("NAME", address)

        assert env.https_url("NAME", "https://api.anthropic.com") == address

    def test_of_where_keys_travel_has_a_default(self, monkeypatch):
        monkeypatch.delenv("NAME", raising=False)

        assert env.https_url("NAME", "https://api.anthropic.com") == "https://api.anthropic.com"

    def test_of_a_ring_keeps_its_order(self, monkeypatch):
        monkeypatch.setenv("NAME", f"new:{KEY}, old:{KEY}")

        assert [key_id for key_id, _ in env.key_ring("NAME")] == ["new", "old"]

    @pytest.mark.parametrize(
        ("address", "for_celery"),
        [
            ("redis://:secret@host:1/0", "redis://:secret@host:1/0"),
            ("unix:///run/r.sock", "redis+socket:///run/r.sock?virtual_host=0"),
            ("unix:///run/r.sock?db=2", "redis+socket:///run/r.sock?virtual_host=2"),
            ("unix://:se%40cret@/run/r.sock?db=2", "redis+socket://:se%40cret@/run/r.sock?virtual_host=2"),
            ("unix://me:secret@/run/r.sock", "redis+socket://me:secret@/run/r.sock?virtual_host=0"),
            ("unix://me@/run/r.sock?password=a%26b", "redis+socket://me:a%26b@/run/r.sock?virtual_host=0"),
            ("unix:///run/r.sock?username=me&password=x", "redis+socket://me:x@/run/r.sock?virtual_host=0"),
        ],
    )
    def test_of_a_redis_address_becomes_celerys_form(self, address, for_celery):
        assert env.broker_url(address) == for_celery

    @pytest.mark.parametrize("form", ["unix://:{}@{}", "unix://{1}?password={0}"])
    def test_of_a_socket_with_a_password_lets_both_libraries_in(self, locked_redis, form):
        address = form.format(quote(locked_redis.password, safe=""), locked_redis.socket_path)

        with redis.Redis.from_url(address) as client, Connection(env.broker_url(address)) as broker:
            assert client.ping()
            assert broker.default_channel.client.ping()

    def test_of_a_socket_without_its_password_does_not(self, locked_redis):
        address = env.broker_url(f"unix://{locked_redis.socket_path}")

        with Connection(address) as broker, pytest.raises((OperationalError, redis.AuthenticationError)):
            broker.default_channel.client.ping()
