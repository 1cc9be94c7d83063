"""Connections that do not deliver at the moment, and why: what an overview and every total have to say; reads only."""

from collections.abc import Collection, Sequence

from accounts.models import Account
from integrations.models import Connection, Status

_STOPPED = (Status.ERROR, Status.DEGRADED, Status.PAUSED)
_URGENCY = {Status.ERROR: 0, Status.DEGRADED: 1, Status.PAUSED: 2}


def list_trouble(account: Account, connection_ids: Collection[str] = ()) -> Sequence[Connection]:
    """Return the account's live connections (or the given ones) that a person, time or a resume has to mend, worst first."""
    found = Connection.objects.filter(account=account, disconnected_at__isnull=True, status__in=_STOPPED)
    if connection_ids:
        found = found.filter(pk__in=connection_ids)
    return sorted(found, key=lambda each: (_URGENCY[Status(each.status)], each.created_at))
