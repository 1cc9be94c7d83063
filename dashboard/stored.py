"""What is stored and how fresh it is, per account: the few reads that the page frame and several pages share."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, F, Max, Min, Q

from accounts.models import Account
from costs import sources
from costs.freshness import Coverage, complete_through
from costs.models import DayDigest
from costs.periods import trailing
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
    today = now.astimezone(dt.UTC).date()
    complete_to = complete_through(account.pk, trailing(today, _LOOK_BACK_DAYS)) if live["count"] else None
    return Freshness(live["count"], live["needing_you"], complete_to, live["last_synced_at"])


def coverages(account: Account, connection_ids: list[UUID] | None = None) -> Mapping[UUID, Coverage]:
    """
    Return first and last stored day by connection, disconnected ones with history included; one query.

    Shape:   of the days it should have: a single older day that somebody synced is no beginning
    """
    digests = DayDigest.objects.filter(
        connection__account=account, source__in=sources.BILLS, day__gte=F("connection__wanted_from")
    )
    if connection_ids is not None:
        digests = digests.filter(connection_id__in=connection_ids)
    ends = digests.order_by().values("connection_id").annotate(first=Min("day"), last=Max("day"))
    return {row["connection_id"]: Coverage(row["first"], row["last"]) for row in ends}
