"""The Overview: the first page, from the empty account to thirty days of costs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.models import Account
from accounts.permissions import Principal
from costs.periods import utc_day
from dashboard import overview as presenter
from dashboard import ranges, stored
from dashboard.access import page
from dashboard.cards import Card, cards
from integrations.models import Connection

# A page shows the progress of this many connections; the rest are on the page of connections.
_MOST_CARDS = 5


@require_safe
@page()
def overview(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the chosen period, or the way to the first connection while nothing is stored."""
    now = timezone.now()
    context: dict[str, object] = {"cards": _moving(principal.account), "ranges": ranges.PRESETS.values()}
    if not _has_data(principal.account):
        return render(request, "dashboard/welcome.html", context)
    shows_all = request.GET.get("workspaces") == "all"
    most = presenter.ALL_WORKSPACES if shows_all else presenter.MOST_WORKSPACES
    period = ranges.period(request.GET.get("range"), utc_day(now))
    context["overview"] = presenter.overview(principal.account, period, now, most_workspaces=most)
    return render(request, "dashboard/overview.html", context)


@require_safe
@page()
def progress(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Return the part that shows running backfills; reload the page when there is more to see than progress."""
    found = _moving(principal.account)
    if request.GET.get("at") == "welcome":
        if _has_data(principal.account):
            return HttpResponseClientRefresh()
        return render(request, "dashboard/parts/steps.html", {"cards": found})
    if not found:
        return HttpResponseClientRefresh()
    return render(request, "dashboard/parts/progress.html", {"cards": found})


def _has_data(account: Account) -> bool:
    return bool(stored.coverages(account))


def _moving(account: Account) -> list[Card]:
    """Return the connections whose first days are on their way or held up, oldest first."""
    unfinished = Connection.objects.select_related("account").filter(
        account=account, disconnected_at__isnull=True, last_synced_at__isnull=True
    )
    return cards(account, list(unfinished[:_MOST_CARDS]), timezone.now())
