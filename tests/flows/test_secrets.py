"""Search everything that is stored, sent, shown or logged for the keys of a connection that had a full life."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from typing import Self

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection as database
from django.test import Client

from accounts import tokens
from accounts.models import Role
from accounts.tokens import Terms
from integrations.models import Credential
from tests.accounts.factors import sign_in_as_operator
from tests.flows.conftest import eventually
from workers import lifecycle
from workers.models import Page, SyncRun

pytestmark = [pytest.mark.flow, pytest.mark.django_db(transaction=True)]


class Monitor:
    """Every command that reaches Redis, as its MONITOR shows it: broker messages, cache, buckets."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._client = redis.Redis.from_url(django_settings.REDIS_URL)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.connection_pool.disconnect()
        self._client.close()

    def _listen(self) -> None:
        # Without a time-out of its own: on a busy machine seconds pass without a command.
        with redis.Redis.from_url(django_settings.REDIS_URL, socket_timeout=None).monitor() as monitor:
            self._ready.set()
            while True:
                command = str(monitor.next_command())
                if "end-of-listening" in command:
                    return
                self.seen.append(command)

    def text(self) -> str:
        self._client.set("end-of-listening", "1")
        self._thread.join(10)
        return "\n".join(self.seen)


def every_row() -> str:
    """All tables of the database as text; bytes appear in hexadecimal."""
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608 - names from the catalogue
            rows += [text for (text,) in cursor.fetchall()]
    return "\n".join(rows)


def forms_of(key: str) -> dict[str, str]:
    """The secret part in the spellings in which it could lie somewhere; its last four characters may be shown."""
    secret = key[len("sk-ant-admin01-") : -4]
    encoded = secret.encode()
    return {
        "plain": secret,
        "hexadecimal": encoded.hex(),
        "base64": base64.b64encode(encoded[: len(encoded) // 3 * 3]).decode(),
        "backwards": secret[::-1],
    }


def test_stored_keys_are_found_nowhere(account, admin_user, simulator, engine, mailoutbox):
    first_key = simulator.organisations(organisation="acorn-studio")[0]["admin_key"]
    second_key = simulator.world("acorn-studio", "new_key")["key"]
    _, token = tokens.issue(account, admin_user, Terms("t", Role.ADMIN), actor="set-up")
    api = Client(headers={"authorization": f"Bearer {token}"})
    people = sign_in_as_operator(Client(), admin_user)
    shown: list[str] = []

    def post(path: str, **body: str) -> dict:
        response = api.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")
        shown.append(f"{response.headers}{response.content.decode()}")
        return response.json()

    with Monitor() as monitor:
        engine.beat(LOG_LEVEL="DEBUG")
        engine.worker(LOG_LEVEL="DEBUG")
        post("connections/test/", api_key=first_key)
        post("connections/test/", api_key=first_key[:-1] + " ")
        created = post("connections/", provider="anthropic", api_key=first_key)
        connection_path = f"connections/{created['id']}"
        eventually(lambda: SyncRun.objects.get().status == "succeeded", "the backfill ends")
        # A failure of every kind of logging that names a request, then a new key.
        simulator.fault("server_error", times=1)
        simulator.fault("revoked", times=1, after=1)
        post(f"{connection_path}/sync/")
        # In the log, not in the row: the next answer that succeeds wipes the row's count.
        eventually(lambda: "fetch_failed" in engine.read_logs(), "a request fails")
        post(f"{connection_path}/test/")
        post("connections/", provider="anthropic", api_key=first_key)
        post(f"{connection_path}/rotate-key/", api_key=second_key)
        stored = lifecycle.find(account, created["id"])
        paths = [
            f"/api/v1/{connection_path}/", "/api/v1/connections/", f"/api/v1/{connection_path}/runs/",
            "/connections/", f"/connections/{created['id']}/", "/connections/add/",
            "/admin/integrations/connection/", f"/admin/integrations/connection/{created['id']}/change/",
        ]  # fmt: skip
        for path in paths:
            response = (api if path.startswith("/api/") else people).get(path)
            assert response.status_code == 200, path
            shown.append(response.content.decode())
        broker = monitor.text()
    mails = "\n".join(f"{mail.subject}{mail.body}" for mail in mailoutbox)
    pages = "\n".join(zlib.decompress(bytes(page.body)).decode() for page in Page.objects.all())

    assert stored is not None
    assert Credential.objects.filter(connection=stored).exists()
    places = {
        "tables": every_row(), "archived pages": pages, "redis": broker, "logs": engine.read_logs(),
        "answers and pages": "\n".join(shown), "mails": mails,
    }  # fmt: skip
    assert all(places[name] for name in ("tables", "archived pages", "redis", "logs", "answers and pages"))
    # The search reads live content: the hint, which may be shown, is where it belongs.
    assert created["key_hint"] in places["tables"]
    assert created["key_hint"] in places["answers and pages"]
    found = [
        (where, spelling)
        for key in (first_key, second_key)
        for spelling, form in forms_of(key).items()
        for where, text in places.items()
        if form in text
    ]
    assert found == []
