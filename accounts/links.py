"""
The secret part of a link in a mail: made when the mail is sent, so that no row and no failed statement ever holds it.

A mail is written with PLACE where the secret belongs; whoever sends it fills that in here.
"""

import datetime as dt
from uuid import UUID

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str

from accounts import invitations
from accounts.models import Invitation, User

# Fits into the addresses of both links as it is.
PLACE = "THESECRET-OFTHISLINK"
INVITATION = "account.invitation"
NEW_PASSWORD = "password_reset_key"  # noqa: S105 - the name of allauth's template
KINDS = frozenset({INVITATION, NEW_PASSWORD})


def event_of(invitation: Invitation) -> str:
    """Return the name of the event that its mail is for."""
    return f"invitation:{invitation.pk}"


def secret_of(kind: str, event_key: str, recipient: str, *, now: dt.datetime) -> str | None:
    """
    Return what belongs in PLACE in a mail of this kind; None when its link would open nothing by now.

    Shape:   None also for an address that nobody signs in with: who asked is told the same, and gets no mail
    """
    if kind == NEW_PASSWORD:
        tokens = app_settings.PASSWORD_RESET_TOKEN_GENERATOR()
        user = User.objects.filter(email=recipient, is_active=True).first()
        return None if user is None else f"{user_pk_to_url_str(user)}-{tokens.make_token(user)}"
    invited = Invitation.objects.filter(pk=UUID(event_key.removeprefix("invitation:"))).first()
    return invitations.token_of(invited) if invited and invited.is_open(now) else None
