"""The one place that answers "may they?": who acts, for which account, with which role."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import Account, ApiToken, Membership, Role, User

_RANK = {Role.VIEWER: 0, Role.EDITOR: 1, Role.ADMIN: 2}


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone acting inside one account: a person through a membership or a program through a token."""

    account: Account
    role: Role
    name: str

    def may(self, needed: Role) -> bool:
        """Say whether the role covers the needed one."""
        return _RANK[self.role] >= _RANK[needed]


def principal_of_token(token: ApiToken) -> Principal:
    """Return whom a token acts for."""
    return Principal(token.account, Role(token.role), f"token {token.name}")


def find_principal(request: HttpRequest) -> Principal | None:
    """Return whom a signed-in browser session acts for; None when the person is in no account.

    The session may name an account among the person's memberships; otherwise it is the oldest one.
    """
    if not isinstance(request.user, User):
        return None
    memberships = (
        Membership.objects.filter(user=request.user).select_related("account").order_by("created_at")
    )
    chosen = request.session.get("account_id")
    found = (memberships.filter(account_id=chosen).first() if chosen else None) or memberships.first()
    return Principal(found.account, Role(found.role), request.user.email) if found else None


class HasRole(BasePermission):
    """REST permission: reading needs viewer, anything else admin, unless the view says otherwise.

    A view sets `required_role` (for writing methods) to lower it to editor.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            return False
        needed = Role.VIEWER if request.method in SAFE_METHODS else getattr(view, "required_role", Role.ADMIN)
        return principal_of_token(request.auth).may(needed)
