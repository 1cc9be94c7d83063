"""Erasing an account for good: the one documented way past the append-only audit log."""

from collections.abc import Sequence
from dataclasses import dataclass

from allauth.usersessions.models import UserSession
from django.db import connection, transaction

from accounts import audit, sql_readers
from accounts.models import Account, AuditEvent, User


@dataclass(frozen=True, slots=True)
class Erased:
    """
    What an erasure leaves to others.

    Shape:   `keeping_rights` are SQL readers whose rights are somebody else's to take; see `sql_readers.what_is_left`;
             `addresses` are those of people who are gone and of who was invited, for those who keep mails
    """

    keeping_rights: list[str]
    addresses: set[str]


@transaction.atomic
def erase(account: Account, *, actor: str, connections: int) -> Erased:
    """
    Delete an account with all that belongs to it, its audit events, and the people who were only there, or had been.

    Its connections are disconnected before (`manage.py erase_account`); `connections` says how many there were.
    What is left is one event of the installation: that it was erased, by whom, and how much it was.
    docs/operations.md, "Erasing an account", lists what stays elsewhere.
    """
    # Nobody lets another role read it meanwhile: the new row would have to point at this one.
    account = Account.objects.select_for_update().get(pk=account.pk)
    keeping_rights = sql_readers.revoke_all(account)
    events = account.audit_events.count()
    people = list(_only_here(account))
    addresses = {user.email for user in people} | set(account.invitations.values_list("email", flat=True))
    addresses -= set(
        User.objects.exclude(pk__in=[user.pk for user in people]).values_list("email", flat=True)
    )
    with connection.cursor() as cursor:
        # Read by the trigger of the audit table; ends with this transaction.
        cursor.execute("SELECT set_config('tallystick.erase_account', %s, true)", [str(account.pk)])
    name, account_id = account.name, account.pk
    account.delete()
    for session in UserSession.objects.filter(user__in=people):
        session.end()
    User.objects.filter(pk__in=[user.pk for user in people]).delete()
    audit.record(
        None, actor, "account.erased", name, target_id=account_id,
        connections=connections, events=events, people=len(people),
    )  # fmt: skip
    return Erased(keeping_rights, addresses)


def _only_here(account: Account) -> Sequence[User]:
    """Return who belongs to no other account, and belongs to this one or did so once: its log says who left."""
    gone = AuditEvent.objects.filter(account=account, action__in=("member.left", "member.removed"))
    once = [int(target) for target in gone.values_list("target_id", flat=True) if target.isdecimal()]
    # Operators stay: they belong to the installation.
    everybody = User.objects.filter(is_staff=False).exclude(
        memberships__account__in=Account.objects.exclude(pk=account.pk)
    )
    return list(everybody.filter(memberships__account=account) | everybody.filter(pk__in=once))
