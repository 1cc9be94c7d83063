"""Erasing an account for good: the one documented way past the append-only audit log."""

from django.db import connection, transaction

from accounts import audit, sql_readers
from accounts.models import Account, User


@transaction.atomic
def erase(account: Account, *, actor: str, connections: int) -> list[str]:
    """
    Delete an account with everything that belongs to it, its audit events and the people who were only there.

    Its connections are disconnected before (`manage.py erase_account`); `connections` says how many there were.
    What is left is one event of the installation: that it was erased, by whom, and how much it was.

    Shape:   the names of its SQL readers whose rights are somebody else's to take; see `sql_readers.what_is_left`
    """
    # Nobody lets another role read it meanwhile: the new row would have to point at this one.
    account = Account.objects.select_for_update().get(pk=account.pk)
    keeping_rights = sql_readers.revoke_all(account)
    events = account.audit_events.count()
    # Operators stay: they belong to the installation.
    orphans = User.objects.filter(memberships__account=account, is_staff=False).exclude(
        memberships__account__in=Account.objects.exclude(pk=account.pk)
    )
    people = [user.pk for user in orphans]
    with connection.cursor() as cursor:
        # Read by the trigger of the audit table; ends with this transaction.
        cursor.execute("SELECT set_config('tallystick.erase_account', %s, true)", [str(account.pk)])
    name, account_id = account.name, account.pk
    account.delete()
    User.objects.filter(pk__in=people).delete()
    audit.record(
        None, actor, "account.erased", name, target_id=account_id,
        connections=connections, events=events, people=len(people),
    )  # fmt: skip
    return keeping_rights
