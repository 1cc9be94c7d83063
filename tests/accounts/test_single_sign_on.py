"""Single sign-on against a provider that speaks OpenID Connect over real sockets on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.account.models import EmailAddress
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import invitations
from accounts.invitations import Offer
from accounts.models import AuditEvent, Membership, Role, User
from foundation import env
from tests.accounts.test_sign_in import add_app, sign_in

LOGIN = "/accounts/sso/login/"
pytestmark = pytest.mark.django_db


@dataclass
class Provider:
    """An identity provider: whoever comes is the person in `claims`."""

    port: int = 0
    claims: dict[str, Any] = field(default_factory=dict)
    challenges: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    key: Any = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, form: dict[str, list[str]]) -> dict[str, Any]:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            names = {
                "authorization_endpoint": "authorize",
                "token_endpoint": "token",
                "userinfo_endpoint": "me",
            }
            return {
                "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys",
                **{name: f"{self.issuer}/{path}" for name, path in names.items()},
            }  # fmt: skip
        if path == "/token":
            verifier = hashlib.sha256(form["code_verifier"][0].encode()).digest()
            proof = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
            assert self.challenges[form["code"][0]] == proof
            assert form["client_secret"] == ["s3cret"]
            now = int(time.time())
            whole = {**self.claims, "iss": self.issuer, "aud": "tallystick", "iat": now, "exp": now + 60}
            token = jwt.encode(whole, self.key, algorithm="RS256", headers={"kid": "1"})
            return {"access_token": "a", "token_type": "Bearer", "id_token": token}
        return self.claims  # /me


@pytest.fixture
def provider(settings) -> Iterator[Provider]:
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({})

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._send(parse_qs(self.rfile.read(length).decode()))

        def _send(self, form: dict[str, list[str]]) -> None:
            body = json.dumps(found.answer(urlsplit(self.path).path, form)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        app = {
            "provider_id": "sso", "name": "Example SSO", "client_id": "tallystick", "secret": "s3cret",
            "settings": {"server_url": found.issuer, "oauth_pkce_enabled": True},
        }  # fmt: skip
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        yield found
        server.shutdown()
        thread.join()


def come_back(provider: Provider, client: Client, **claims: Any) -> Any:
    """Go to the provider as a browser does, and come back as the person in the claims."""
    provider.claims = {"sub": "1", "email_verified": True, **claims}
    away = client.post(LOGIN)
    assert away.status_code == 302, away.content
    sent = parse_qs(urlsplit(away["Location"]).query)
    provider.challenges["code-1"] = sent["code_challenge"][0]
    return client.get(f"{LOGIN}callback/", {"code": "code-1", "state": sent["state"][0]})


class TestOff:
    def test_is_the_default(self, client):
        assert django_settings.OIDC_ISSUER == ""
        assert client.post(LOGIN).status_code == 404
        assert "/sso/" not in client.get(reverse("account_login")).text


class TestSignIn:
    def test_is_offered_as_a_button_that_posts(self, client, provider):
        page = client.get(reverse("account_login")).text

        assert "Example SSO" in page
        assert f'action="{LOGIN}' in page

    def test_never_begins_by_a_link(self, client, provider):
        """A page elsewhere could otherwise sign a visitor in as somebody else."""
        answer = client.get(LOGIN)

        assert answer.status_code == 200
        assert provider.asked == []

    def test_lets_in_who_is_known_by_a_verified_address(self, client, provider, alice):
        answer = come_back(provider, client, email="Alice@Example.com")

        assert answer["Location"] == "/"
        assert client.get("/").status_code == 200
        event = AuditEvent.objects.get(action="person.signed_in")
        assert event.changes == {"method": "single sign-on"}

    def test_leaves_the_password_as_it_is(self, client, provider, alice):
        come_back(provider, client, email="alice@example.com")

        assert sign_in(Client(), "alice@example.com")["Location"] == "/"
        assert EmailAddress.objects.get().verified

    def test_knows_the_person_again_by_the_providers_id(self, client, provider, alice):
        come_back(provider, client, email="alice@example.com")

        answer = come_back(provider, Client(), email="renamed@example.com")

        assert answer["Location"] == "/"
        assert User.objects.count() == 1

    @pytest.mark.parametrize("claims", [{"email": "alice@example.com", "email_verified": False}, {}])
    def test_refuses_an_address_that_is_not_verified(self, client, provider, alice, claims):
        answer = come_back(provider, client, **claims)

        assert (
            "by invitation" in client.get(answer["Location"]).text
            if answer.status_code == 302
            else answer.text
        )
        assert client.get("/").status_code == 302

    def test_refuses_strangers(self, client, provider, alice):
        answer = come_back(provider, client, email="mallory@example.com")

        assert "by invitation" in answer.text
        assert User.objects.count() == 1

    def test_asks_for_the_second_factor_too(self, client, provider, alice):
        sign_in(client, "alice@example.com")
        add_app(client)
        again = Client()

        answer = come_back(provider, again, email="alice@example.com")

        assert answer["Location"] == reverse("mfa_authenticate")
        assert again.get("/").status_code == 302

    def test_does_not_tie_an_identity_to_who_is_signed_in(self, client, provider, alice):
        sign_in(client, "alice@example.com")
        provider.claims = {"sub": "666", "email": "mallory@example.com", "email_verified": True}
        away = client.post(f"{LOGIN}?process=connect")
        sent = parse_qs(urlsplit(away["Location"]).query)
        provider.challenges["code-1"] = sent["code_challenge"][0]

        client.get(f"{LOGIN}callback/", {"code": "code-1", "state": sent["state"][0]})

        assert not alice.user.socialaccount_set.exists()

    def test_refuses_an_answer_that_was_not_asked_for(self, client, provider, alice):
        answer = client.get(f"{LOGIN}callback/", {"code": "code-1", "state": "made-up"})

        assert answer.status_code == 401
        assert "You are not signed in" in answer.text
        assert client.get("/").status_code == 302


class TestInvited:
    def test_join_with_their_first_sign_in(self, client, provider, account, alice):
        offer = Offer("bob@example.com", Role.EDITOR)
        invitations.invite(account, offer, invited_by=None, actor="x", now=timezone.now())

        answer = come_back(provider, client, email="Bob@example.com", name="Bob Example")

        assert answer["Location"] == "/"
        member = Membership.objects.get(user__email="bob@example.com")
        assert (member.account, member.role) == (account, Role.EDITOR)
        assert not member.user.has_usable_password()

    def test_do_not_join_with_an_address_that_is_not_verified(self, client, provider, account, alice):
        offer = Offer("bob@example.com", Role.EDITOR)
        invitations.invite(account, offer, invited_by=None, actor="x", now=timezone.now())

        come_back(provider, client, email="bob@example.com", email_verified=False)

        assert not User.objects.filter(email="bob@example.com").exists()


class TestSettings:
    def test_want_an_encrypted_issuer(self, monkeypatch):
        monkeypatch.setenv("OIDC_ISSUER", "http://login.example.com")

        with pytest.raises(ImproperlyConfigured, match="not encrypted"):
            env.https_url("OIDC_ISSUER")

    @pytest.mark.parametrize(
        ("given", "origins"),
        [
            ("", []),
            ("https://a.example, https://b.example:8443/x", ["https://a.example", "https://b.example:8443"]),
        ],
    )
    def test_name_where_forms_may_lead(self, monkeypatch, given, origins):
        monkeypatch.setenv("OIDC_ORIGINS", given)

        assert env.origins("OIDC_ORIGINS") == origins

    def test_refuse_an_origin_that_is_none(self, monkeypatch):
        monkeypatch.setenv("OIDC_ORIGINS", "login.example.com")

        with pytest.raises(ImproperlyConfigured, match="not an http"):
            env.origins("OIDC_ORIGINS")
