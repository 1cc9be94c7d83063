"""Dashboards: the list, one of them with its tiles, and arranging them."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Role
from accounts.permissions import Principal
from dashboard import ranges, saved_views
from dashboard.access import action, page
from dashboard.explore import state as states
from dashboard.explore.report import read_report
from dashboard.explore.report_context import ReportRequest
from dashboard.explore.usage import read_usage
from dashboard.forms import KeptForm, TileForm
from dashboard.models import Dashboard, SavedView, Tile
from dashboard.saved_views import TooManyError
from dashboard.views.saved import edit_kept, get_kept, person_of, problems_of, state_of
from foundation.periods import utc_day

_MOVES = {"up": -1, "down": 1}


@require_safe
@page()
def dashboards(request: HttpRequest, principal: Principal) -> HttpResponse:
    """List the dashboards that the person sees."""
    person = person_of(request, principal)
    context = {
        "dashboards": saved_views.list_kept(person, Dashboard),
        "home": saved_views.home_of(person),
        "kind": "dashboards",
    }
    return render(request, "dashboard/dashboards.html", context)


@action(Role.EDITOR)
def make_dashboard(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Make an empty dashboard, and go on to arrange it."""
    form = KeptForm(request.POST)
    if not form.is_valid():
        messages.error(request, problems_of(form))
        return redirect("dashboard:dashboards")
    try:
        made = saved_views.make_dashboard(person_of(request, principal), **form.cleaned_data)
    except TooManyError as error:
        messages.error(request, str(error))
        return redirect("dashboard:dashboards")
    return redirect("dashboard:arrange", dashboard_id=made.pk)


@require_safe
@page()
def dashboard(request: HttpRequest, principal: Principal, dashboard_id: UUID) -> HttpResponse:
    """Show a dashboard; each tile is read by itself, so that the page is there at once."""
    found = get_kept(request, principal, Dashboard, dashboard_id)
    person = person_of(request, principal)
    days, problems = states.read_days(request.GET, utc_day(timezone.now()))
    context = {
        "problems": problems,
        "dashboard": found,
        "tiles": [(tile, state_of(tile.view).address) for tile in saved_views.tiles(person, found)],
        "ranges": ranges.PRESETS.values(),
        "chosen": days.range if days else "",
        "days": days,
        "home": saved_views.home_of(person),
    }
    return render(request, "dashboard/dashboard.html", context)


@require_safe
@page()
def tile(request: HttpRequest, principal: Principal, dashboard_id: UUID, tile_id: int) -> HttpResponse:
    """Return what one tile shows."""
    found = _get_tile(request, principal, dashboard_id, tile_id)
    state = state_of(found.view)
    today = utc_day(timezone.now())
    days, _ = states.read_days(request.GET, today)
    if days:
        state = state.changed(range=days.range, first=days.first, last=days.last)
    subject = ReportRequest(principal.account.pk, state, today)
    if state.is_usage:
        used = read_usage(subject)
        context = {"tile": found, "state": state, "report": used, "chart_document": used.chart.document()}
        return render(request, "dashboard/parts/usage_tile.html", context)
    report = read_report(subject, with_forecast=False)
    context = {
        "tile": found,
        "state": state,
        "report": report,
        "chart_document": report.chart.document(report.day_link),
    }
    return render(request, "dashboard/parts/tile.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Role.EDITOR)
def arrange(request: HttpRequest, principal: Principal, dashboard_id: UUID) -> HttpResponse:
    """Show the tiles to be arranged; a POST adds a view at the end."""
    found = get_kept(request, principal, Dashboard, dashboard_id)
    person = person_of(request, principal)
    if request.method == "POST":
        view = _chosen_view(request, principal)
        try:
            saved_views.add_tile(person, found, view)
        except TooManyError as error:
            messages.error(request, str(error))
        return redirect("dashboard:arrange", dashboard_id=found.pk)
    shown = [(each, TileForm.of(each)) for each in saved_views.tiles(person, found)]
    context = {"dashboard": found, "tiles": shown, "views": saved_views.list_kept(person, SavedView)}
    return render(request, "dashboard/arrange.html", context)


@action(Role.EDITOR)
def change_tile(request: HttpRequest, principal: Principal, dashboard_id: UUID, tile_id: int) -> HttpResponse:
    """Move, remove or change one tile, as the button that was pressed says."""
    found = _get_tile(request, principal, dashboard_id, tile_id)
    person = person_of(request, principal)
    deed = request.POST.get("do", "")
    if deed in _MOVES:
        saved_views.move_tile(person, found, _MOVES[deed])
    elif deed == "remove":
        saved_views.remove_tile(person, found)
    else:
        form = TileForm.of(found, request.POST)
        if form.is_valid():
            saved_views.change_tile(person, found, **form.cleaned_data)
        else:
            messages.error(request, "There is no such width or kind of tile.")
    return redirect("dashboard:arrange", dashboard_id=dashboard_id)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Role.EDITOR)
def edit_dashboard(request: HttpRequest, principal: Principal, dashboard_id: UUID) -> HttpResponse:
    """Rename, share or stop sharing."""
    found = get_kept(request, principal, Dashboard, dashboard_id)
    return edit_kept(request, principal, found, "dashboard:dashboards")


@action(Role.EDITOR)
def delete_dashboard(request: HttpRequest, principal: Principal, dashboard_id: UUID) -> HttpResponse:
    """Delete a dashboard; its views stay."""
    found = get_kept(request, principal, Dashboard, dashboard_id)
    saved_views.delete(person_of(request, principal), found)
    messages.success(request, f"“{found.name}” was deleted. Its views are kept.")
    return redirect("dashboard:dashboards")


def _get_tile(request: HttpRequest, principal: Principal, dashboard_id: UUID, tile_id: int) -> Tile:
    found = get_kept(request, principal, Dashboard, dashboard_id)
    tile = saved_views.tiles(person_of(request, principal), found).filter(pk=tile_id).first()
    if tile is None:
        raise Http404("There is no such tile.")
    return tile


def _chosen_view(request: HttpRequest, principal: Principal) -> SavedView:
    try:
        key = UUID(request.POST.get("view", ""))
    except ValueError as error:
        raise Http404("There is no such view.") from error
    return get_kept(request, principal, SavedView, key)
