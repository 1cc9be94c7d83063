"""The one place that answers "may they?": who acts, for which account, with which role, and on which rows."""

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import Account, ApiToken, Membership, Role, User

_RANK = {Role.VIEWER: 0, Role.EDITOR: 1, Role.ADMIN: 2}
_CHOSEN = "account_id"

Rows = TypeVar("Rows", bound=Model)


def covers(role: Role, needed: Role) -> bool:
    """Say whether a role includes another one."""
    return _RANK[role] >= _RANK[needed]


def lesser(one: Role, other: Role) -> Role:
    """Return the role that includes less."""
    return other if covers(one, other) else one


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone acting inside one account: a person through a membership or a program through a token."""

    account: Account
    role: Role
    name: str
    is_read_only: bool = False

    def may(self, needed: Role) -> bool:
        """Say whether the role covers the needed one, for looking."""
        return covers(self.role, needed)

    def may_change(self, needed: Role) -> bool:
        """Say whether the role covers the needed one, for changing something or using a key."""
        return not self.is_read_only and self.may(needed)

    def rows(self, model: type[Rows]) -> QuerySet[Rows]:
        """Return the account's rows of a table: where every query of pages and API starts."""
        return rows_of(self.account, model)


def rows_of(account: Account | UUID, model: type[Rows]) -> QuerySet[Rows]:
    """
    Return the rows of a table that belong to an account, given as such or by its id.

    Shape:   a model names the way to its account in `account_path`; without it, it has a column `account`
    """
    path = getattr(model, "account_path", "account")
    rows: QuerySet[Rows] = model._default_manager.filter(**{path: account})  # noqa: SLF001 - any model's rows
    return rows


def principal_of_token(token: ApiToken) -> Principal:
    """Return whom a token acts for: never more than its owner may in the account now."""
    if token.owner_role is None:
        raise ValueError("only a token that authentication let in acts for somebody")
    role = lesser(Role(token.role), token.owner_role)
    return Principal(token.account, role, f"token {token.name}", token.is_read_only)


def memberships_of(user: User) -> QuerySet[Membership]:
    """Return the accounts a person belongs to, the oldest membership first."""
    return Membership.objects.filter(user=user).select_related("account").order_by("created_at", "pk")


def find_principal(request: HttpRequest) -> Principal | None:
    """Return whom a signed-in browser session acts for; None when the person is in no account.

    The session may name an account among the person's memberships; otherwise it is the oldest one.
    """
    if not isinstance(request.user, User):
        return None
    memberships = memberships_of(request.user)
    chosen = request.session.get(_CHOSEN)
    found = (memberships.filter(account_id=chosen).first() if chosen else None) or memberships.first()
    return Principal(found.account, Role(found.role), request.user.email) if found else None


def choose_account(request: HttpRequest, account: Account) -> None:
    """Act for this account from now on, as far as the person belongs to it."""
    request.session[_CHOSEN] = str(account.pk)


def is_reading(method: str | None, view: Any) -> bool:
    """Say whether a method of a REST view changes nothing."""
    return method in SAFE_METHODS or getattr(view, "changes_nothing", False)


class HasRole(BasePermission):
    """REST permission: reading needs viewer, anything else admin, unless the view says otherwise.

    A view sets `required_role` (for writing methods) to lower it to editor, `reading_role` to raise reading; and
    `changes_nothing` where each of its methods only reads.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            return False
        principal = principal_of_token(request.auth)
        if is_reading(request.method, view):
            return principal.may(getattr(view, "reading_role", Role.VIEWER))
        return principal.may_change(getattr(view, "required_role", Role.ADMIN))
