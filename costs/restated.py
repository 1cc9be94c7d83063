"""Which observed changes concern the bill: those of the report that answers for their day; reads only."""

from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from costs import sources
from costs.models import DayDigest, Restatement


def of_the_bill(account_id: UUID) -> QuerySet[Restatement]:
    """
    Return the account's restatements of what is or was its bill.

    Where the chosen report has a day, what happened to it elsewhere is no news about the bill.
    """
    chosen = DayDigest.objects.filter(
        connection=OuterRef("connection"), day=OuterRef("day"), source=F("connection__cost_source")
    )
    return Restatement.objects.filter(
        Q(source=F("connection__cost_source")) | ~Exists(chosen),
        connection__account_id=account_id,
        source__in=sources.BILLS,
    )
