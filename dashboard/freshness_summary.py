"""What is stored and how fresh it is, per account: the few reads that the page frame and several pages share."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Max, Q

from accounts.models import Account
from costs import sources
from costs.coverage import Scope, read_coverage
from costs.models import DayDigest
from foundation.periods import trailing
from integrations.models import Connection, Status

# The newest window of a backfill is a month, so this is complete a few seconds after the first connection.
_LOOK_BACK_DAYS = 30


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far an account's data can be trusted, in one line; `complete_to` None: not within the last month."""

    connections: int
    needing_you: int
    complete_to: dt.date | None
    last_synced_at: dt.datetime | None


def freshness(account: Account, now: dt.datetime) -> Freshness:
    """Return the account's freshness, in two queries."""
    live = Connection.objects.filter(account=account, disconnected_at__isnull=True).aggregate(
        count=Count("pk"),
        needing_you=Count("pk", filter=Q(status=Status.ERROR)),
        last_synced_at=Max("last_synced_at"),
    )
    complete_to = None
    if live["count"]:
        today = now.astimezone(dt.UTC).date()
        complete_to = read_coverage(Scope(account.pk, trailing(today, _LOOK_BACK_DAYS), today)).read_through
    return Freshness(live["count"], live["needing_you"], complete_to, live["last_synced_at"])


def has_data(account: Account) -> bool:
    """Say whether a day of any bill of the account is stored; without one there is nothing to show."""
    return DayDigest.objects.filter(connection__account=account, source__in=sources.BILLS).exists()
