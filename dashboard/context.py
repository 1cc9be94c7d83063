"""What every page shows around its content; nothing is read before a template asks for it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import Membership, Role, User
from accounts.permissions import Principal, find_principal
from dashboard import stored

_SECTIONS = (
    ("Overview", "dashboard:overview"),
    ("Explorer", "dashboard:explore"),
    ("Connections", "dashboard:connections"),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the values of the page frame; for visitors who did not sign in there are none."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    principal = find_principal(request)
    if principal is None:
        return {}
    now = timezone.now()
    return {
        "principal": principal,
        "now": now,
        "may_edit": principal.may(Role.EDITOR),
        "may_administer": principal.may(Role.ADMIN),
        "sections": [_section(label, name, request.path) for label, name in _SECTIONS],
        "freshness": SimpleLazyObject(lambda: stored.freshness(principal.account, now)),
        "other_accounts": SimpleLazyObject(lambda: _other_accounts(user, principal)),
    }


def _section(label: str, name: str, path: str) -> dict[str, Any]:
    address = reverse(name)
    is_here = path == address or (address != "/" and path.startswith(address))
    return {"label": label, "address": address, "is_here": is_here}


def _other_accounts(user: User, principal: Principal) -> list[Membership]:
    """List the person's other memberships; most people have none."""
    memberships = Membership.objects.filter(user=user).select_related("account")
    return list(memberships.exclude(account=principal.account).order_by("account__name"))
