"""Settings: whom each connection is charged to, many of them at once."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import get_text_list
from django.views.decorators.http import require_http_methods

from accounts.models import Role
from accounts.permissions import Principal, rows_of
from dashboard.access import page
from dashboard.forms import CostCenterForm
from integrations.models import Connection
from workers import lifecycle

# A line is two fields of the form, what is wanted and what was shown; Django takes a thousand of one request.
_PAGE_SIZE = 100


@require_http_methods(["GET", "HEAD", "POST"])
@page()
def cost_centers(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the cost centres of a page of connections; who may connect may change them."""
    live = rows_of(principal.account.pk, Connection).filter(disconnected_at__isnull=True)
    live = live.order_by("label", "pk")
    if request.method == "POST" and not principal.may(Role.ADMIN):
        raise PermissionDenied("Only admins change cost centres.")
    shown = Paginator(live, _PAGE_SIZE).get_page(request.GET.get("page"))
    form = (
        CostCenterForm(_sent(request, live), request.POST)
        if request.method == "POST"
        else CostCenterForm(list(shown))
    )
    if form.is_bound and form.is_valid():
        saved = [_save(principal, connection, cost_center) for connection, cost_center in form.changes()]
        names = get_text_list([label for label in saved if label], "and")
        messages.success(request, f"Saved: {names}." if names else "Nothing was changed.")
        place = f"?page={shown.number}" if shown.number > 1 else ""
        return redirect(reverse("dashboard:cost_centers") + place)
    context = {
        "here": "cost_centers",
        "rows": form.rows(),
        "page": shown,
        "known": live.exclude(cost_center="")
        .order_by("cost_center")
        .values_list("cost_center", flat=True)
        .distinct(),
    }
    return render(request, "settings/cost_centers.html", context, status=400 if form.errors else 200)


def _sent(request: HttpRequest, live: QuerySet[Connection]) -> list[Connection]:
    """Return the connections of the lines that were sent, on whatever page they stand by now."""
    sent = [pk for pk in live.values_list("pk", flat=True) if str(pk) in request.POST]
    return list(live.filter(pk__in=sent))


def _save(principal: Principal, connection: Connection, cost_center: str) -> str:
    """Save one under the label that it has by now; return that, or nothing when it was disconnected meanwhile."""
    current = lifecycle.find(principal.account, connection.pk)
    if current is None:
        return ""
    lifecycle.edit(current, cost_center=cost_center, actor=principal.name)
    return current.label
