"""The outermost door: who the client is, and what is too large."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client

from accounts.models import AuditEvent
from foundation import env, request_guards
from tests.accounts.test_sign_in import sign_in
from tests.api.conftest import problem

PROXIES = [
    ipaddress.ip_network("127.0.0.1"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("fd00::/8"),
]


class TestBelieve:
    @pytest.mark.parametrize(
        ("remote", "forwarded", "client"),
        [
            ("203.0.113.5", None, "203.0.113.5"),
            ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # a stranger speaks for nobody
            ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
            (
                "127.0.0.1",
                "1.1.1.1, 198.51.100.1",
                "198.51.100.1",
            ),  # the left one is the client's own invention
            ("127.0.0.1", "198.51.100.1, 10.0.0.7", "198.51.100.1"),  # two proxies of ours
            ("127.0.0.1", "10.0.0.8, 10.0.0.7", "10.0.0.8"),
            ("fd00::1", "2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.1:443", "127.0.0.1"),
            ("", "198.51.100.1", "198.51.100.1"),  # through a socket file
            ("", None, "127.0.0.1"),
        ],
    )
    def test_finds_the_client(self, remote, forwarded, client):
        meta = {"REMOTE_ADDR": remote}
        meta |= {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}

        request_guards.believe(meta, PROXIES)

        assert meta == {"REMOTE_ADDR": client}

    @pytest.mark.parametrize(("remote", "kept"), [("127.0.0.1", True), ("203.0.113.5", False)])
    def test_lets_only_a_proxy_say_that_it_was_https(self, remote, kept):
        meta = {"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_PROTO": "https"}

        request_guards.believe(meta, PROXIES)

        assert ("HTTP_X_FORWARDED_PROTO" in meta) is kept

    @pytest.mark.parametrize("name", ["HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_HOST"])
    def test_forgets_other_spellings_from_everybody(self, name):
        meta = {"REMOTE_ADDR": "127.0.0.1", name: "198.51.100.1"}

        request_guards.believe(meta, PROXIES)

        assert name not in meta


@pytest.mark.django_db
class TestAddress:
    def test_of_the_client_stands_in_the_audit_log(self, admin_user):
        sign_in(Client(), admin_user.email, headers={"x-forwarded-for": "198.51.100.1"})

        assert AuditEvent.objects.get().address == "198.51.100.1"

    def test_is_not_what_the_client_says(self, admin_user):
        headers = {"x-forwarded-for": "198.51.100.1", "x-real-ip": "198.51.100.1"}

        sign_in(Client(), admin_user.email, REMOTE_ADDR="203.0.113.5", headers=headers)

        assert AuditEvent.objects.get().address == "203.0.113.5"

    def test_cannot_be_changed_to_get_around_the_lock(self, admin_user):
        for attempt in range(10):
            headers = {"x-forwarded-for": f"198.51.100.{attempt}"}
            sign_in(Client(), f"p{attempt}@example.com", REMOTE_ADDR="203.0.113.5", headers=headers)

        answer = sign_in(Client(), admin_user.email, REMOTE_ADDR="203.0.113.5")

        assert "Too many failed login attempts" in answer.text


@pytest.mark.django_db
class TestHost:
    @pytest.fixture(autouse=True)
    def one_name(self, settings):
        settings.ALLOWED_HOSTS = [".example.com"]

    @pytest.mark.parametrize("host", ["10.0.0.5:8000", "10.0.0.5", "[2001:db8::1]:8000", "[::1]", ""])
    @pytest.mark.parametrize("path", ["/metrics", "/healthz/live", "/healthz/ready", "/healthz/data"])
    def test_may_be_an_address_for_those_that_watch(self, path, host):
        assert Client(headers={"host": host}).get(path).status_code == 200

    @pytest.mark.parametrize("host", ["10.0.0.5:8000", "[::1]", "evil.example.net"])
    @pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/costs/", "/metrics/", "/"])
    def test_is_one_of_ours_everywhere_else(self, path, host):
        assert Client(headers={"host": host}).get(path).status_code == 400

    @pytest.mark.parametrize("host", ["evil.example.net", "10.0.0.5.example.net", "10.0.0"])
    def test_of_another_name_is_refused_to_those_that_watch_too(self, host):
        assert Client(headers={"host": host}).get("/metrics").status_code == 400

    def test_may_be_an_address_where_any_is(self, settings):
        settings.ALLOWED_HOSTS = ["*"]

        assert Client(headers={"host": "10.0.0.5"}).get("/metrics").status_code == 200


@pytest.mark.django_db
class TestForms:
    """Where a browser says that a form comes from, behind a proxy that tells us something else."""

    @pytest.fixture
    def post(self, admin_user):
        browser = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
        browser.get("/accounts/login/")
        fields = {"login": admin_user.email, "password": "correct horse battery"}

        def post(origin: str, token: str = browser.cookies["csrftoken"].value):
            return browser.post(
                "/accounts/login/", {**fields, "csrfmiddlewaretoken": token}, headers={"origin": origin}
            )

        return post

    def test_are_taken_from_ourselves(self, post):
        assert post("http://localhost").status_code == 302

    def test_are_refused_from_elsewhere_with_both_addresses(self, post):
        answer = post("https://costs.example.com:8443")

        assert answer.status_code == 403
        assert "This form came from another address" in answer.text
        assert "https://costs.example.com:8443" in answer.text
        assert "http://localhost" in answer.text
        assert "too old" not in answer.text

    def test_are_told_to_be_too_old_when_they_are(self, post):
        answer = post("http://localhost", token="a" * 32)

        assert answer.status_code == 403
        assert "This form is too old" in answer.text


class TestSize:
    @pytest.mark.parametrize(
        ("meta", "status"),
        [
            ({"QUERY_STRING": "a" * 6145}, 400),
            ({"CONTENT_LENGTH": "1048577"}, 413),
            ({"CONTENT_LENGTH": "9" * 5000}, 413),
            ({"CONTENT_LENGTH": "-1"}, 400),
            ({"CONTENT_LENGTH": "1e3"}, 400),
            ({"CONTENT_LENGTH": "²"}, 400),
        ],
    )
    def test_is_refused(self, meta, status):
        assert request_guards.too_large(meta).status_code == status

    @pytest.mark.parametrize(
        "meta", [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "1048576"}, {"QUERY_STRING": "a" * 6144}]
    )
    def test_is_let_through(self, meta):
        assert request_guards.too_large(meta) is None

    def test_is_refused_to_a_program_as_a_problem(self, db):
        body = json.dumps({"api_key": "x" * 1_100_000})

        answer = Client().post("/api/v1/connections/test/", body, content_type="application/json")

        assert problem(answer, 413)["code"] == "body_too_large"

    def test_of_a_query_is_refused_to_a_program_as_a_problem(self, db):
        assert problem(Client().get(f"/api/v1/costs/?model={'m' * 6200}"), 400)["code"] == "query_too_large"

    def test_of_a_query_with_a_thousand_names_is_refused(self, db, admin_user):
        from accounts import tokens
        from accounts.models import Account, Role
        from accounts.tokens import Terms

        _, token = tokens.issue(Account.objects.get(), admin_user, Terms("t", Role.VIEWER), actor="x")
        query = "&".join(f"{number:x}=1" for number in range(1100))

        answer = Client(headers={"authorization": f"Bearer {token}"}).get(f"/api/v1/costs/?{query[:6100]}")

        problem(answer, 400)

    def test_is_refused_to_a_person_as_a_page(self, db, client):
        answer = client.post("/accounts/login/", {"login": "x" * 1_100_000})

        assert answer.status_code == 413
        assert "This cannot be read here" in answer.text
        assert "Content-Security-Policy" in answer.headers

    @pytest.mark.parametrize(("count", "status"), [(900, 200), (1100, 400)])
    def test_of_a_form_is_counted_in_fields_too(self, db, client, count, status):
        assert client.post("/accounts/login/", {f"f{n}": "1" for n in range(count)}).status_code == status


class TestText:
    @pytest.mark.parametrize(
        "address", ["/models/%00/", "/usage/table.csv?model=%00", "/explore/?model=a%00b", "/\0"]
    )
    def test_with_a_nul_byte_is_refused_before_a_column_would(self, db, client, admin_user, address):
        client.force_login(admin_user)

        answer = client.get(address)

        assert answer.status_code == 400
        assert "NUL byte" in answer.text

    def test_that_only_spells_one_out_is_text(self, db, client, admin_user):
        client.force_login(admin_user)

        assert client.get("/explore/?model=%2500").status_code == 200


class TestTransport:
    """What the settings make of an address with TLS; each in a process of its own, since settings are read once."""

    ASKED = """
import json, django; django.setup()
from django.conf import settings
from django.test import Client
answer = Client().get("/healthz/live", headers={"x-forwarded-proto": "https"})
print(json.dumps({
    "hosts": settings.ALLOWED_HOSTS,
    "origins": settings.CSRF_TRUSTED_ORIGINS,
    "secure": [settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE],
    "hsts": answer.headers.get("Strict-Transport-Security"),
    "form": [part for part in answer.headers["Content-Security-Policy"].split("; ") if part.startswith("form-")],
}))
"""

    def settings_with(self, **environment: str) -> dict:
        told = subprocess.run(
            [sys.executable, "-c", self.ASKED],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(told.stdout.splitlines()[-1])

    @pytest.mark.parametrize("name", ["BEHIND_TLS", "PUBLIC_URL"])
    def test_makes_cookies_secure_and_browsers_remember(self, name):
        found = self.settings_with(
            **{name: {"BEHIND_TLS": "yes", "PUBLIC_URL": "https://costs.example.com"}[name]}
        )

        assert found["secure"] == [True, True]
        assert found["hsts"] == "max-age=31536000"

    @pytest.mark.parametrize(
        ("address", "host", "origin"),
        [
            ("https://costs.example.com:8443/", "costs.example.com", "https://costs.example.com:8443"),
            ("http://[2001:db8::1]:8000", "[2001:db8::1]", "http://[2001:db8::1]:8000"),
        ],
    )
    def test_the_public_address_is_answered_and_believed(self, address, host, origin):
        found = self.settings_with(PUBLIC_URL=address, ALLOWED_HOSTS="localhost")

        assert found["hosts"] == ["localhost", host]
        assert found["origins"] == [origin]

    def test_without_tls_lets_localhost_sign_in(self):
        found = self.settings_with()

        assert (found["secure"], found["hsts"]) == ([False, False], None)

    def test_lets_forms_lead_to_the_identity_provider_and_nowhere_else(self):
        found = self.settings_with(
            OIDC_ISSUER="https://login.example.com/tenant", OIDC_CLIENT_ID="t", OIDC_CLIENT_SECRET="s",
            OIDC_ORIGINS="https://accounts.example.net",
        )  # fmt: skip

        assert found["form"] == ["form-action 'self' https://login.example.com https://accounts.example.net"]
        assert self.settings_with()["form"] == ["form-action 'self'"]


class TestSettings:
    def test_read_networks(self, monkeypatch):
        monkeypatch.setenv("NAME", "10.0.0.0/8, ::1")

        assert [str(each) for each in env.networks("NAME", "")] == ["10.0.0.0/8", "::1/128"]

    def test_refuse_what_is_none(self, monkeypatch):
        monkeypatch.setenv("NAME", "proxy.example.com")

        with pytest.raises(ImproperlyConfigured, match="no address or network"):
            env.networks("NAME", "")


class TestCharset:
    FORM = b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\nabc\r\n--x--\r\n'

    @pytest.mark.django_db
    @pytest.mark.parametrize("charset", ["zlib", "hex", "idna", "undefined", "utf-16", "latin-1", "nonsense"])
    @pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
    def test_of_a_form_is_ours(self, charset, kind):
        """Of zlib and its like Django knows the name, and fails at the first field."""
        client = Client(raise_request_exception=False)

        answer = client.generic(
            "POST", "/accounts/login/", self.FORM, content_type=f"{kind}; charset={charset}"
        )

        assert answer.status_code == 415
        assert "send UTF-8" in answer.text

    @pytest.mark.django_db
    @pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"utf-8"'])
    def test_of_a_form_may_be_named(self, charset):
        kind = f"multipart/form-data; boundary=x; charset={charset}"

        assert Client().generic("POST", "/accounts/login/", self.FORM, content_type=kind).status_code == 200

    @pytest.mark.django_db
    @pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/connections/", "/healthz/live"])
    def test_that_django_cannot_read_is_no_fault(self, path):
        """In the spelling of RFC 2231 it raises while the request is made, where no middleware is yet."""
        environ: dict[str, Any] = {"PATH_INFO": path, "CONTENT_TYPE": "text/plain; charset*=nonsense''x"}
        setup_testing_defaults(environ)
        told: list[str] = []

        body = request_guards.with_readable_type(WSGIHandler())(
            environ, lambda status, *_: told.append(status) or print
        )

        assert told == ["415 Unsupported Media Type"]
        assert b"send UTF-8" in b"".join(body)

    @pytest.mark.django_db
    def test_of_a_part_that_cannot_be_read_is_no_fault(self):
        part = self.FORM.replace(b'name="login"', b"name*=nonsense''login")
        client = Client(raise_request_exception=False)

        answer = client.generic(
            "POST", "/accounts/login/", part, content_type="multipart/form-data; boundary=x"
        )

        assert answer.status_code in {200, 400}
