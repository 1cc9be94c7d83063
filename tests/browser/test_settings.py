"""Sign-in and settings in a real browser: passkeys with a virtual authenticator, and what axe says of every page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse
from django.utils import timezone

from accounts import audit, invitations, tokens
from accounts.invitations import Offer
from accounts.models import Membership, Role, User
from accounts.tokens import Terms
from tests.browser.test_accessibility import problems

PASSWORD = "correct horse battery"


@pytest.fixture
def bob(account) -> User:
    user = User.objects.create_user("bob@example.com", PASSWORD)
    Membership.objects.create(account=account, user=user, role=Role.ADMIN)
    return user


def with_authenticator(page: Any) -> None:
    """Put an authenticator with a fingerprint reader into the browser; its owner always agrees."""
    debugger = page.context.new_cdp_session(page)
    debugger.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    debugger.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def sign_in(page: Any) -> None:
    page.goto(reverse("account_login"))
    page.get_by_label("Email").fill("bob@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def confirm(page: Any) -> None:
    """Give the password once more, before something about signing in changes."""
    page.get_by_role("heading", name="Is it you?").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def add_passkey(page: Any, name: str, *, for_password: bool) -> None:
    page.goto(reverse("mfa_index"))
    page.get_by_role("link", name="Add a passkey").click()
    confirm(page)
    page.get_by_label("Name, so that you recognise it").fill(name)
    if for_password:
        page.get_by_label("Let it stand for the password, too").check()
    page.get_by_role("button", name="Add").click()
    page.get_by_text("shown this once").wait_for()


def sign_out(page: Any) -> None:
    page.goto(reverse("account_logout"))
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()


class TestPasskey:
    def test_stands_for_password_and_second_factor(self, surf, bob):
        page = surf().page
        with_authenticator(page)
        sign_in(page)
        add_passkey(page, "Laptop", for_password=True)
        sign_out(page)

        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url(lambda url: urlsplit(url).path == "/")

        assert page.goto(reverse("mfa_index")).ok
        assert page.get_by_text("Laptop, added").count() == 1
        assert Authenticator.objects.filter(type="webauthn").count() == 1

    def test_is_asked_for_after_the_password(self, surf, bob):
        page = surf().page
        with_authenticator(page)
        sign_in(page)
        add_passkey(page, "Key", for_password=False)
        sign_out(page)
        sign_in(page)
        asked = page.get_by_role("heading", name="Second factor").count()

        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url(lambda url: urlsplit(url).path == "/")

        assert asked == 1

    def test_says_so_when_there_is_none(self, surf, bob):
        page = surf().page
        page.goto(reverse("account_login"))
        page.evaluate(
            "() => { navigator.credentials.get = () => Promise.reject(new DOMException('', 'NotAllowedError')) }"
        )

        page.get_by_role("button", name="Use a passkey").click()

        page.get_by_text("The passkey was not used").wait_for()

    def test_needs_scripts_and_nothing_else_does(self, surf, bob):
        page = surf(java_script_enabled=False).page
        sign_in(page)
        page.goto(reverse("mfa_index"))
        page.get_by_role("link", name="Add an app").click()
        confirm(page)

        assert page.get_by_alt_text("QR code of the key below").is_visible()
        assert not page.get_by_role("button", name="Use a passkey").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
class TestPages:
    def test_are_accessible(self, surf, account, bob, scheme):
        now = timezone.now()
        tokens.issue(account, bob, Terms("reports", Role.VIEWER), actor="set-up")
        invited = invitations.invite(
            account, Offer("new@example.com", Role.VIEWER), invited_by=bob, actor="bob@example.com", now=now
        )
        member = User.objects.create_user("someone.with.a.very.long.address.indeed@subdomain.example.com")
        other = Membership.objects.create(account=account, user=member, role=Role.VIEWER)
        audit.record(
            account, "bob@example.com", "connection.edited", "Main " * 20, label=["a" * 60, "b" * 60]
        )
        surfer = surf(bob, color_scheme=scheme)
        token = account.tokens.get()

        found = problems(
            surfer,
            [
                *(reverse(f"settings:{name}") for name in ("people", "tokens", "audit")),
                reverse("mfa_index"),
                reverse("settings:remove", args=(other.pk,)),
                reverse("settings:revoke", args=(token.public_id,)),
                reverse("mfa_reauthenticate"),
            ],
        )
        visitor = surf(color_scheme=scheme)
        found += problems(visitor, [reverse("invitation", args=(invitations.token_of(invited),))])

        assert found == []
