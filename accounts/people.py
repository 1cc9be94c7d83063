"""The people of an account: give, change and take roles; an account never loses its last admin."""

from django.db import transaction

from accounts import audit, tokens
from accounts.actions import difference
from accounts.models import Account, Membership, Role, User


class LastAdminError(Exception):
    """The account would have no admin left."""

    def __init__(self, account: Account) -> None:
        super().__init__(f"{account.name} needs an admin. Make somebody else admin first.")


def join(account: Account, user: User, role: Role) -> Membership:
    """Give somebody a role in an account; whoever has one keeps it."""
    membership, _ = Membership.objects.get_or_create(account=account, user=user, defaults={"role": role})
    return membership


@transaction.atomic
def change_role(membership: Membership, role: Role, *, actor: str) -> None:
    """
    Give a member another role.

    Raises:  LastAdminError, Membership.DoesNotExist — removed meanwhile
    """
    current = _hold(membership)
    if current.role == role:
        return
    if role != Role.ADMIN:
        _require_other_admin(current)
    before, current.role = current.role, role
    current.save(update_fields=["role"])
    _record(current, actor, "member.changed", role=difference(before, role.value))


@transaction.atomic
def remove(membership: Membership, *, actor: User) -> None:
    """
    Take somebody out of an account, with the tokens they made there; their sign-in stays.

    Raises:  LastAdminError, Membership.DoesNotExist — removed meanwhile
    """
    current = _hold(membership)
    _require_other_admin(current)
    for token in current.account.tokens.filter(user=current.user):
        tokens.revoke(token, actor=actor.email)
    current.delete()
    action = "member.left" if current.user_id == actor.pk else "member.removed"
    _record(current, actor.email, action, role=current.role)


def _hold(membership: Membership) -> Membership:
    """Lock the account, so that of two admins who demote each other one comes second and is refused."""
    Account.objects.select_for_update().get(pk=membership.account_id)
    return Membership.objects.select_related("account", "user").get(pk=membership.pk)


def _require_other_admin(membership: Membership) -> None:
    if membership.role != Role.ADMIN:
        return
    others = Membership.objects.filter(
        account=membership.account, role=Role.ADMIN, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise LastAdminError(membership.account)


def _record(membership: Membership, actor: str, action: str, **changes: object) -> None:
    audit.record(
        membership.account, actor, action, membership.user.email, target_id=membership.user_id, **changes
    )
