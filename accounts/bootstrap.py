"""The default account and its administrator, made once on an empty installation."""

import secrets
from dataclasses import dataclass

from django.db import transaction

from accounts.models import Account, Membership, Role, User

DEFAULT_ACCOUNT = "Default"
DEFAULT_ADMIN_EMAIL = "admin@tallystick.local"


@dataclass(frozen=True, slots=True)
class FirstSignIn:
    """How to sign in for the first time; the password is shown once and stored only as a hash."""

    email: str
    password: str


def ensure_default_account() -> Account:
    """Return the default account, creating it on first run."""
    account, _ = Account.objects.get_or_create(name=DEFAULT_ACCOUNT)
    return account


@transaction.atomic
def ensure_admin() -> FirstSignIn | None:
    """Create account and administrator when nobody exists yet; None when somebody does."""
    account = ensure_default_account()
    if User.objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    user = User.objects.create_superuser(DEFAULT_ADMIN_EMAIL, password)
    Membership.objects.create(account=account, user=user, role=Role.ADMIN)
    return FirstSignIn(user.email, password)
