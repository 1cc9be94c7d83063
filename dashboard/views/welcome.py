"""The way to the first connection, in place of figures, while nothing is stored."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import Account
from dashboard import freshness_summary
from dashboard.cards import cards
from integrations.models import Connection

# A page shows the progress of this many connections; the rest are on the page of connections.
_MOST_CARDS = 5


def first_steps(request: HttpRequest, account: Account) -> HttpResponse | None:
    """Return the page of the first steps; None once a day is stored."""
    if freshness_summary.has_data(account):
        return None
    return render(request, "dashboard/welcome.html", unfinished(account))


def unfinished(account: Account) -> dict[str, object]:
    """Return the connections whose first days are on their way or held up, and whether any of them moves."""
    found = Connection.objects.select_related("account").filter(
        account=account, disconnected_at__isnull=True, last_synced_at__isnull=True
    )
    shown = cards(list(found[:_MOST_CARDS]), timezone.now())
    return {"cards": shown, "is_moving": any(card.is_moving for card in shown)}
