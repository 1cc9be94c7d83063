"""The list of connections."""

from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.permissions import Principal
from dashboard.access import page
from dashboard.cards import cards
from dashboard.day_map import card_strips
from foundation.periods import utc_day
from integrations.models import Connection, Status

_PAGE_SIZE = 20
_MOST_DISCONNECTED = 50


@require_safe
@page()
def connections(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show a page of cards, those that need a person first, and what was disconnected with its history kept."""
    rows = Connection.objects.filter(account=principal.account).select_related("account")
    urgency = Case(
        When(status=Status.ERROR, then=Value(0)),
        When(status=Status.DEGRADED, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    live = rows.filter(disconnected_at__isnull=True).order_by(urgency, "created_at", "pk")
    shown = Paginator(live, _PAGE_SIZE).get_page(request.GET.get("page"))
    now = timezone.now()
    strips = card_strips(list(shown), utc_day(now))
    context = {
        "page": shown,
        "cards": [(card, strips[card.connection.pk]) for card in cards(list(shown), now)],
        "disconnected": rows.filter(disconnected_at__isnull=False).order_by("-disconnected_at")[
            :_MOST_DISCONNECTED
        ],
    }
    return render(request, "dashboard/connections.html", context)
