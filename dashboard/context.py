"""What every page shows around its content; nothing is read before a template asks for it."""

from typing import Any

from django.http import HttpRequest
from django.urls import is_valid_path, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import Membership, Role, User
from accounts.permissions import Principal, find_principal
from dashboard import freshness_summary

# Name, address of the first page, and the addresses that belong to it.
_SECTIONS = (
    ("Overview", "dashboard:overview", ("/overview/",)),
    ("Explorer", "dashboard:explore", ("/explore/", "/workspaces/", "/keys/", "/models/", "/people/")),
    ("Usage", "dashboard:usage", ("/usage/",)),
    ("Dashboards", "dashboard:dashboards", ("/dashboards/", "/views/")),
    ("Exports", "dashboard:exports", ("/exports/",)),
    ("Connections", "dashboard:connections", ("/connections/",)),
)
_SETTINGS = "/settings/"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the values of the page frame; for visitors who did not sign in there are none."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    principal = getattr(request, "principal", None) or find_principal(request)
    if principal is None:
        return {}
    now = timezone.now()
    return {
        "principal": principal,
        "now": now,
        "may_edit": principal.may(Role.EDITOR),
        "may_administer": principal.may(Role.ADMIN),
        "sections": _sections(request.path),
        "freshness": SimpleLazyObject(lambda: freshness_summary.freshness(principal.account, now)),
        "other_accounts": SimpleLazyObject(lambda: _other_accounts(user, principal)),
    }


def _sections(path: str) -> list[dict[str, Any]]:
    sections = [(label, reverse(name), own) for label, name, own in _SECTIONS]
    if is_valid_path(_SETTINGS):
        sections.append(("Settings", _SETTINGS, (_SETTINGS,)))
    return [
        {
            "label": label,
            "address": address,
            "is_here": path.startswith(own) or (path == "/" == _root(address)),
        }
        for label, address, own in sections
    ]


def _root(address: str) -> str:
    """Return the address under which a section is shown at the root: the Overview, while nothing is pinned."""
    return "/" if address == reverse("dashboard:overview") else address


def _other_accounts(user: User, principal: Principal) -> list[Membership]:
    """List the person's other memberships; most people have none."""
    memberships = Membership.objects.filter(user=user).select_related("account")
    return list(memberships.exclude(account=principal.account).order_by("account__name"))
