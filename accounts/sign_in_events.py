"""Writes what happens around signing in to the audit log; listens to Django's and allauth's signals."""

from typing import Any

from allauth.account import signals as account_signals
from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth import signals as auth_signals
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import audit
from accounts.models import User

_KINDS = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery codes",
}
_METHODS = {
    "password": "a password",
    "socialaccount": "single sign-on",
    "password_reset": "a link from a mail",
}


def _kind(type_: str) -> str:
    return _KINDS[Authenticator.Type(type_)]


@receiver(account_signals.user_logged_in)
def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    """Record a sign-in with everything that was shown for it."""
    shown = [
        _kind(record["type"])
        if record["method"] == "mfa"
        else _METHODS.get(record["method"], record["method"])
        for record in get_authentication_records(request, user)
    ]
    audit.record_person(user, "person.signed_in", method=" and ".join(shown) or "an invitation")


@receiver(auth_signals.user_login_failed)
def sign_in_failed(credentials: dict[str, Any], **_: Any) -> None:
    """Record a wrong password, for an address of somebody and of nobody alike."""
    email = str(credentials.get("email") or credentials.get("username") or "").lower()
    user = User.objects.filter(email=email).first()
    if user is None:
        audit.record_stranger(email, "person.sign_in_failed")
    else:
        audit.record_person(user, "person.sign_in_failed")


@receiver(auth_signals.user_logged_out)
def signed_out(user: User | None, **_: Any) -> None:
    """Record a sign-out; a session that was none has nobody."""
    if user is not None:
        audit.record_person(user, "person.signed_out")


@receiver([account_signals.password_changed, account_signals.password_set])
def password_changed(user: User, **_: Any) -> None:
    """Record that a person changed their password."""
    audit.record_person(user, "password.changed")


@receiver(account_signals.password_reset)
def password_reset(user: User, **_: Any) -> None:
    """Record that somebody with access to the person's mail chose a new password."""
    audit.record_person(user, "password.reset")


@receiver(mfa_signals.authenticator_added)
def factor_added(user: User, authenticator: Authenticator, **_: Any) -> None:
    """Record a new second factor."""
    audit.record_person(user, "second_factor.added", kind=_kind(authenticator.type))


@receiver(mfa_signals.authenticator_removed)
def factor_removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    """Record that a second factor is gone."""
    audit.record_person(user, "second_factor.removed", kind=_kind(authenticator.type))


@receiver(mfa_signals.authenticator_reset)
def codes_made(user: User, **_: Any) -> None:
    """Record new recovery codes; the old ones are worth nothing from now on."""
    audit.record_person(user, "second_factor.codes_made")


@receiver(mfa_signals.authenticator_used)
def factor_used(user: User, authenticator: Authenticator, **_: Any) -> None:
    """Record the use of a recovery code, which nobody uses every day."""
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        audit.record_person(user, "second_factor.recovery_code_used")


@receiver(mfa_signals.authentication_failed)
def factor_failed(user: User, **_: Any) -> None:
    """Record a wrong code: whoever gave it knew the password."""
    audit.record_person(user, "second_factor.failed")
