"""Settings: whom each connection is charged to, all of them at once."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import get_text_list
from django.views.decorators.http import require_http_methods

from accounts.models import Role
from accounts.permissions import Principal, rows_of
from dashboard.access import page
from dashboard.forms import CostCenterForm
from integrations.models import Connection
from workers import lifecycle


@require_http_methods(["GET", "HEAD", "POST"])
@page()
def cost_centers(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the cost centre of every connection; who may connect may change them."""
    live = rows_of(principal.account.pk, Connection).filter(disconnected_at__isnull=True)
    connections = list(live.order_by("label", "pk"))
    if request.method == "POST" and not principal.may(Role.ADMIN):
        raise PermissionDenied("Only admins change cost centres.")
    form = CostCenterForm(connections, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        saved = [_save(principal, connection, cost_center) for connection, cost_center in form.changes()]
        names = get_text_list([label for label in saved if label], "and")
        messages.success(request, f"Saved: {names}." if names else "Nothing was changed.")
        return redirect("dashboard:cost_centers")
    context = {
        "here": "cost_centers",
        "rows": form.rows(),
        "known": sorted({connection.cost_center for connection in connections if connection.cost_center}),
    }
    return render(request, "settings/cost_centers.html", context, status=400 if form.errors else 200)


def _save(principal: Principal, connection: Connection, cost_center: str) -> str:
    """Save one under the label that it has by now; return that, or nothing when it was disconnected meanwhile."""
    current = lifecycle.find(principal.account, connection.pk)
    if current is None:
        return ""
    lifecycle.edit(current, label=current.label, cost_center=cost_center, actor=principal.name)
    return current.label
