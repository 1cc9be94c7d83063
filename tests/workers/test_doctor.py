"""Each thing that can be wrong, brought about: doctor names its cause, and what it says to do makes it well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import time_machine
from django.conf import settings as django_settings
from django.core.management import call_command

from alerts.models import OutboxMessage
from alerts.outbox import send_due
from devtools.simulator.keys import key_text
from integrations.models import Credential
from runtime import folders
from runtime.embedded import Place
from runtime.postgres import Postgres
from tests.ports import free_port
from tests.workers.fronts import (
    Front,
    Handler,
    certificate,
    mail_server,
    opener,
    passed_on,
    silent,
    with_tls,
)
from workers import bucket, doctor, lifecycle, servers, signs
from workers.clock import database_now
from workers.findings import Finding

NOWHERE = "nobody.invalid"


@pytest.fixture
def front() -> Iterator[Callable[[Handler], Front]]:
    """Opens fronts, and closes them with the test."""
    opened: list[Front] = []

    def make(handle: Handler) -> Front:
        opened.append(Front(handle))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    return certificate(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A PostgreSQL that wants a password of the role `r`."""
    home = Path(tempfile.mkdtemp(prefix="ts-"))
    home.chmod(0o755)  # mkdtemp closes it, and the server's user must reach its data
    owner = folders.server_owner()
    with folders.socket_folder(home, "postgres", owner) as sockets:
        running = Postgres(Place(home, sockets, home / "postgres.log", owner), durable=False)
        running.start()
        rules = running.data / "pg_hba.conf"
        rules.write_text("local all r scram-sha-256\n" + rules.read_text())
        with psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", autocommit=True) as admin:
            admin.execute("CREATE ROLE r LOGIN PASSWORD 'right'")
            admin.execute("SELECT pg_reload_conf()")
        yield running
        running.stop()
    shutil.rmtree(home)


class TestPostgres:
    """Asked by a process of its own, as a person asks: its address is read once, at the start."""

    @pytest.fixture
    def admin(self, server) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(
            host=str(server.place.sockets), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            yield connection

    def look(self, url: str) -> Finding:
        """What doctor says of the database at an address."""
        port = free_port()
        ended = subprocess.run(
            [sys.executable, "manage.py", "doctor", "--json"],
            env={**os.environ, "DATABASE_URL": url, "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Finding(**json.loads(ended.stdout)[0])

    def at(self, server: Postgres, password: str = "right", name: str = "postgres") -> str:
        return f"postgres://r:{password}@/{server.place.sockets}/{name}"

    def test_nobody_listens(self, server):
        found = self.look(f"postgres://r@127.0.0.1:{free_port()}/postgres")

        assert found.remedy.startswith("Nobody listens there: start PostgreSQL, or correct host and port")
        assert self.look(self.at(server)).is_well

    def test_nobody_knows_its_name(self):
        assert self.look(f"postgres://r@{NOWHERE}/postgres").remedy.startswith("Nobody knows its name")

    def test_it_hangs(self, front):
        found = self.look(f"postgres://r@127.0.0.1:{front(silent).port}/postgres")

        assert found.remedy.startswith("It does not answer: look for a firewall")

    def test_a_wrong_password(self, server):
        found = self.look(self.at(server, password="wrong"))

        assert found.remedy == "It refuses user or password: correct them in DATABASE_URL."
        assert self.look(self.at(server, password="right")).is_well

    def test_no_such_database(self, server, admin):
        found = self.look(self.at(server, name="missing"))
        admin.execute("CREATE DATABASE missing")

        assert found.remedy.startswith("It has no such database: create it")
        assert self.look(self.at(server, name="missing")).is_well

    def test_no_room_for_more_connections(self, server, admin):
        admin.execute("ALTER ROLE r CONNECTION LIMIT 0")
        found = self.look(self.at(server))
        admin.execute("ALTER ROLE r CONNECTION LIMIT -1")

        assert found.remedy == "It takes no more connections: end some, or let it take more."
        assert self.look(self.at(server)).is_well

    def test_a_certificate_that_nobody_trusts(self, server, front, files):
        behind = passed_on(opener(f"unix://{server.place.sockets}/.s.PGSQL.5432"))
        port = front(with_tls(files, behind, as_postgres=True)).port
        url = f"postgres://r:right@127.0.0.1:{port}/postgres?sslmode=verify-full"

        found = self.look(f"{url}&sslrootcert=system")

        assert found.remedy.startswith("Its certificate is not trusted: renew it, or give sslrootcert=")
        assert self.look(f"{url}&sslrootcert={files[0]}").is_well

    def test_no_tls_where_it_is_wanted(self, server, front):
        def refuse(came):
            came.recv(8)
            came.sendall(b"N")
            silent(came)

        url = f"postgres://r@127.0.0.1:{front(refuse).port}/postgres?sslmode=require"

        assert self.look(url).remedy.startswith("There is no TLS that we understand")


class TestRedis:
    @pytest.fixture
    def url(self) -> str:
        """The address of the Redis that is there."""
        return str(django_settings.REDIS_URL)

    @pytest.fixture
    def look(self, url, settings) -> Iterator[Callable[[str], Finding]]:
        def ask(url: str) -> Finding:
            settings.REDIS_URL = url
            bucket.redis_client.cache_clear()
            return servers.look_at_redis()

        yield ask
        bucket.redis_client.cache_clear()

    @pytest.fixture
    def user(self, url) -> Iterator[str]:
        """A user of the Redis that is there, who may do everything with the password `right`."""
        name = f"doctor-{uuid.uuid4().hex[:8]}"
        client = redis.Redis.from_url(url)
        client.execute_command("ACL", "SETUSER", name, "on", ">right", "~*", "+@all")
        yield name
        client.execute_command("ACL", "DELUSER", name)
        client.close()

    def as_(self, url: str, user: str, password: str) -> str:
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{user}:{password}@{rest.rpartition('@')[2]}"

    @pytest.fixture
    def plain(self, url, front) -> Front:
        """The Redis that is there, on a port of its own."""
        return front(passed_on(opener(url)))

    def test_nobody_listens(self, look, url):
        found = look(f"redis://127.0.0.1:{free_port()}/0")

        assert found.remedy.startswith(
            "Nobody listens there: start Redis, or correct host and port in REDIS_URL."
        )
        assert found.remedy.endswith("Nothing is lost meanwhile.")
        assert look(url).is_well

    def test_nobody_knows_its_name(self, look):
        assert look(f"redis://{NOWHERE}/0").remedy.startswith("Nobody knows its name")

    def test_it_hangs(self, look, front):
        assert look(f"redis://127.0.0.1:{front(silent).port}/0").remedy.startswith("It does not answer")

    def test_a_wrong_password(self, look, url, user):
        assert look(self.as_(url, user, "wrong")).remedy.startswith("It refuses user or password")
        assert look(self.as_(url, user, "right")).is_well

    def test_a_user_without_the_right(self, look, url, user):
        client = redis.Redis.from_url(url)
        client.execute_command("ACL", "SETUSER", user, "-info")
        found = look(self.as_(url, user, "right"))
        client.execute_command("ACL", "SETUSER", user, "+info")
        client.close()

        assert found.remedy.startswith("The user may not do this there")
        assert look(self.as_(url, user, "right")).is_well

    def test_a_certificate_that_nobody_trusts(self, look, url, front, files):
        behind = passed_on(opener(url))
        safe = f"rediss://127.0.0.1:{front(with_tls(files, behind)).port}/0"

        assert look(safe).remedy.startswith("Its certificate is not trusted: renew it, or give ssl_ca_certs=")
        assert look(f"{safe}?ssl_ca_certs={files[0]}").is_well

    def test_no_tls_where_it_is_wanted(self, look, plain):
        found = look(f"rediss://127.0.0.1:{plain.port}/0")

        assert found.remedy.startswith("It does not answer, or speaks no TLS there: then write redis://")
        assert look(f"redis://127.0.0.1:{plain.port}/0").is_well

    def test_tls_where_none_is_spoken(self, look, front, files):
        port = front(with_tls(files, silent)).port

        assert look(f"redis://127.0.0.1:{port}/0").remedy.startswith(
            "It ended the connection: Redis may want TLS"
        )


class TestUpstream:
    @pytest.fixture
    def look(self, settings, simulator) -> Callable[[str], Finding]:
        settings.ANTHROPIC_TIMEOUT_SECONDS = 1

        def ask(url: str) -> Finding:
            settings.ANTHROPIC_BASE_URL = url
            return servers.look_at_upstream()

        return ask

    def test_is_asked_for_nothing(self, look, simulator):
        assert look(simulator.base_url).is_well

    def test_nobody_listens(self, look, simulator):
        assert look(f"http://127.0.0.1:{free_port()}").remedy.startswith(
            "Nobody listens there: correct ANTHROPIC"
        )

    def test_nobody_knows_its_name(self, look):
        assert look(f"https://{NOWHERE}").remedy.startswith(
            "Nobody knows its name: correct ANTHROPIC_BASE_URL"
        )

    def test_it_hangs(self, look, front):
        assert "outgoing connections" in look(f"http://127.0.0.1:{front(silent).port}").remedy

    def test_a_proxy_that_is_away(self, look, simulator, monkeypatch):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")

        assert look(f"https://{NOWHERE}").remedy.startswith("Correct HTTPS_PROXY")

    def test_a_certificate_that_nobody_trusts(self, look, simulator, front, files, monkeypatch):
        url = f"https://127.0.0.1:{front(with_tls(files, passed_on(opener(simulator.base_url)))).port}"

        found = look(url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files[0]))

        assert "REQUESTS_CA_BUNDLE" in found.remedy
        assert look(url).is_well


class TestMail:
    @pytest.fixture
    def look(self, settings) -> Callable[..., Finding]:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_TIMEOUT = 1
        settings.EMAIL_HOST_USER = "user"

        def ask(host: str, port: int, password: str = "right", *, use_ssl: bool = False) -> Finding:
            settings.EMAIL_HOST, settings.EMAIL_PORT = host, port
            settings.EMAIL_HOST_PASSWORD, settings.EMAIL_USE_SSL = password, use_ssl
            return servers.look_at_mail()

        return ask

    def test_nobody_listens(self, look, front):
        assert look("127.0.0.1", free_port()).remedy.startswith("Nobody listens there: start the mail server")
        assert look("127.0.0.1", front(mail_server).port).is_well

    def test_nobody_knows_its_name(self, look):
        assert look(NOWHERE, 25).remedy.startswith("Nobody knows its name: correct the host in EMAIL_URL")

    def test_it_hangs(self, look, front):
        assert look("127.0.0.1", front(silent).port).remedy.startswith("It does not answer")

    def test_a_wrong_password(self, look, front):
        port = front(mail_server).port

        assert look("127.0.0.1", port, "wrong").remedy.startswith("It refuses user or password")
        assert look("127.0.0.1", port, "right").is_well

    def test_a_certificate_that_nobody_trusts(self, look, front, files, monkeypatch):
        port = front(with_tls(files, mail_server)).port

        found = look("127.0.0.1", port, use_ssl=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))

        assert "name its authority's file in SSL_CERT_FILE" in found.remedy
        assert look("127.0.0.1", port, use_ssl=True).is_well

    def test_no_server_is_no_trouble(self, settings):
        assert servers.look_at_mail().is_well

    @pytest.mark.django_db
    def test_mails_that_the_server_refused(self, account, admin_user, settings):
        OutboxMessage.objects.create(
            account=account, event_key="a", kind="k", subject="s", body="b", due_at=database_now()
        )
        settings.EMAIL_BACKEND = "tests.alerts.test_outbox.Refusing"
        send_due(now=database_now())
        found = servers.look_at_outbox()
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        OutboxMessage.objects.update(due_at=database_now())
        send_due(now=database_now())

        assert found.seen.startswith("1 mails wait, the last error is SMTPServerDisconnected")
        assert servers.look_at_outbox().is_well


@pytest.mark.django_db(transaction=True)
class TestRing:
    @pytest.fixture
    def connection(self, connect):
        return connect(label="Main")

    def look(self) -> Finding:
        return {each.name: each for each in doctor.examine()}["key ring"]

    def test_was_lost_before_a_restore(self, connection, settings):
        """The database was restored, the ring was not: a new one has a new id."""
        (lost, _), settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[0], (("new", b"n" * 32),)
        first = self.look()
        call_command("rotate_credentials", "--give-up", lost)
        second = self.look()
        lifecycle.rotate_key(connection, key_text("acorn-studio"), actor="alice")

        assert f"CREDENTIAL_KEYS lacks key '{lost}'" in first.seen
        assert f"rotate_credentials --give-up {lost}" in first.remedy
        assert second.remedy == "Replace the keys of: Main."
        assert self.look().is_well

    def test_has_another_key_under_the_same_id(self, connection, settings):
        right = settings.CREDENTIAL_KEYS
        settings.CREDENTIAL_KEYS = ((right[0][0], b"x" * 32),)
        found = self.look()
        settings.CREDENTIAL_KEYS = right

        assert f"has another key '{right[0][0]}'" in found.seen
        assert found.remedy.startswith("Put the right one into CREDENTIAL_KEYS")
        assert self.look().is_well

    def test_is_right_and_one_key_was_damaged(self, connection, connect):
        connect("birch-logistics", label="Second")
        Credential.objects.filter(connection=connection).update(sealed=b"damaged")
        found = self.look()
        lifecycle.rotate_key(connection, key_text("acorn-studio"), actor="alice")

        assert found.remedy == "Replace the keys of: Main."
        assert self.look().is_well

    def test_has_a_newer_key(self, connection, settings):
        settings.CREDENTIAL_KEYS = (("new", b"n" * 32), *settings.CREDENTIAL_KEYS)
        found = self.look()
        call_command("rotate_credentials")

        assert found.remedy == "Run: python3 manage.py rotate_credentials"
        assert self.look().is_well


@pytest.mark.django_db
class TestMachine:
    def look(self, name: str) -> Finding:
        return {each.name: each for each in doctor.examine()}[name]

    def test_has_a_clock_of_its_own(self):
        with time_machine.travel(database_now().timestamp() + 60, tick=True):
            found = self.look("clock")

        assert found.remedy == "Switch on time synchronisation on both."
        assert self.look("clock").is_well

    def test_has_a_full_disk(self, monkeypatch):
        monkeypatch.setattr(doctor, "_FREE_BYTES", shutil.disk_usage("/").total * 2)
        found = self.look("disk")
        monkeypatch.undo()

        assert found.remedy.startswith("Make room")

    def test_has_a_beat_that_left_a_sign(self):
        bucket.redis_client().delete("tallystick:beat")
        before = self.look("beat")
        signs.leave_of_beat()

        assert before.remedy == "Start one: python3 manage.py up, or the beat line of the Procfile."
        assert self.look("beat").is_well
