"""Signing in for tests of other rooms: a session in which a second factor was shown, as the sign-in leaves it."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.internal.flows import login
from django.test import Client

from accounts.models import User


def show_second_factor(session: Any, user: User) -> None:
    """Write into a session what allauth writes when a code was right; the way there has tests of its own."""
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "type": "totp", "at": time.time()}]
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)


def sign_in_as_operator(client: Client, user: User) -> Client:
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    show_second_factor(session, user)
    session.save()
    return client
