"""Invitations into an account: offer, find by the link's token, accept, withdraw; sends no mail itself."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import QuerySet

from accounts import audit, people
from accounts.models import Account, Invitation, Membership, Role, User

GOOD_FOR = dt.timedelta(days=7)
# Each is a mail to a stranger in our name: enough for a department, useless for a flood.
MOST_OPEN = 100


class AlreadyMemberError(Exception):
    """Whoever has this address belongs to the account already."""

    def __init__(self, email: str) -> None:
        super().__init__(f"{email} belongs to this account already. Change the role instead.")


class TooManyInvitationsError(Exception):
    """So many are open that another one would not be an invitation but a mailing."""

    def __init__(self) -> None:
        super().__init__(f"{MOST_OPEN} invitations are open. Withdraw some, or wait until they expire.")


class InvitationClosedError(Exception):
    """It was accepted, withdrawn or expired meanwhile, or is for somebody else."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Whom to invite, and as what."""

    email: str
    role: Role


@transaction.atomic
def invite(
    account: Account, offer: Offer, *, invited_by: User | None, actor: str, now: dt.datetime
) -> Invitation:
    """
    Offer a role to whoever reads an address's mail; an open invitation of the address is replaced.

    Raises:  AlreadyMemberError, TooManyInvitationsError
    """
    email = offer.email.lower()
    # Two admins who invite the same person at once come one after the other.
    Account.objects.select_for_update().get(pk=account.pk)
    if Membership.objects.filter(account=account, user__email=email).exists():
        raise AlreadyMemberError(email)
    account.invitations.filter(email=email, accepted_at=None, revoked_at=None).update(revoked_at=now)
    if list_open(account, now=now).count() >= MOST_OPEN:
        raise TooManyInvitationsError
    invitation = Invitation.objects.create(
        account=account, email=email, role=offer.role, invited_by=invited_by, expires_at=now + GOOD_FOR
    )
    _record(invitation, actor, "invitation.sent")
    return invitation


def list_open(account: Account, *, now: dt.datetime) -> QuerySet[Invitation]:
    """Return the invitations that can still be accepted, the newest first."""
    open_now = account.invitations.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)
    return open_now.select_related("invited_by").order_by("-created_at")


def token_of(invitation: Invitation) -> str:
    """Return what the link in the mail ends with; nobody can make one without the installation's secret."""
    return _signer().sign(str(invitation.pk))


def _signer() -> Signer:
    return Signer(salt="accounts.invitations")


def find(token: str, *, now: dt.datetime) -> Invitation | None:
    """Return the open invitation of a link; None when it is forged, used, withdrawn or too old."""
    try:
        invitation_id = uuid.UUID(_signer().unsign(token))
    except (BadSignature, ValueError):
        return None
    found = Invitation.objects.select_related("account", "invited_by").filter(pk=invitation_id).first()
    return found if found and found.is_open(now) else None


@transaction.atomic
def accept(invitation: Invitation, user: User, *, now: dt.datetime) -> Membership:
    """
    Let somebody in; the invitation is used up.

    Raises:  InvitationClosedError
    """
    current = _hold(invitation)
    # The row is locked: of two uses of one link the second finds it accepted.
    if current is None or not current.is_open(now) or user.email.lower() != current.email:
        raise InvitationClosedError
    current.accepted_at = now
    current.save(update_fields=["accepted_at"])
    membership = people.join(current.account, user, Role(current.role))
    _record(current, user.email, "invitation.accepted")
    return membership


def accept_all(user: User, *, now: dt.datetime) -> None:
    """Accept every open invitation of an address that somebody else has proved to be the person's."""
    for invitation in Invitation.objects.filter(email=user.email.lower(), accepted_at=None, revoked_at=None):
        if invitation.is_open(now):
            accept(invitation, user, now=now)


def is_invited(email: str, *, now: dt.datetime) -> bool:
    """Say whether any account waits for this address."""
    return Invitation.objects.filter(
        email=email.lower(), accepted_at=None, revoked_at=None, expires_at__gt=now
    ).exists()


@transaction.atomic
def withdraw(invitation: Invitation, *, actor: str, now: dt.datetime) -> None:
    """Make the link useless; what was accepted, withdrawn or too old stays as it is."""
    current = _hold(invitation)
    if current and current.is_open(now):
        current.revoked_at = now
        current.save(update_fields=["revoked_at"])
        _record(current, actor, "invitation.revoked")


def _hold(invitation: Invitation) -> Invitation | None:
    """
    Return the invitation fresh and locked; None when it was erased with its account.

    The account first, as whoever invites does: one who accepts while the address is invited again would wait for the
    other for ever.
    """
    Account.objects.select_for_update().filter(pk=invitation.account_id).first()
    held = Invitation.objects.select_for_update(of=("self",)).select_related("account")
    return held.filter(pk=invitation.pk).first()


def _record(invitation: Invitation, actor: str, action: str) -> None:
    audit.record(
        invitation.account, actor, action, invitation.email, target_id=invitation.pk, role=invitation.role
    )
