"""The words of mails about accounts; pure."""

from django.conf import settings
from django.urls import reverse

from accounts import links
from accounts.models import Invitation
from alerts.outbox import Message


def invitation(invited: Invitation) -> Message:
    """Offer somebody a role; the link is theirs alone, so the mail is for one address and gets it when it is sent."""
    address = settings.PUBLIC_URL + reverse("invitation", args=(links.PLACE,))
    by = f"{invited.invited_by.email} invites you" if invited.invited_by else "You are invited"
    return Message(
        event_key=links.event_of(invited),
        kind=links.INVITATION,
        subject=f"Tallystick: an invitation to {invited.account.name}",
        body=(
            f"{by} to {invited.account.name} on Tallystick, with the role {invited.get_role_display().lower()}.\n\n"
            f"Join here, until {invited.expires_at:%d %b %Y %H:%M} UTC:\n{address}\n\n"
            "The link works once, and only for this address. If you did not expect it, leave it alone.\n"
        ),
        recipient=invited.email,
    )
