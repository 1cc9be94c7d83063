"""One connection: its history, its request budget, and the pages that change or end it."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Role
from accounts.permissions import Principal
from costs.models import Restatement, UpstreamNovelty
from dashboard import cards, day_map, notices
from dashboard.access import get_connection, page
from dashboard.forms import DisconnectForm, EditForm, KeyForm
from foundation.periods import utc_day
from integrations.connections import LabelTakenError, RefusedError
from integrations.models import Connection
from workers import lifecycle
from workers.models import SyncRun

_RUNS_A_PAGE = 20
_RESTATEMENTS_A_PAGE = 20
_NOVELTIES_A_PAGE = 50


@require_safe
@page()
def connection(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Show everything about one connection."""
    found = get_connection(principal, connection_id)
    restatements = Restatement.objects.filter(connection_id=found.pk)
    context = {
        "card": cards.card(found, timezone.now()),
        "capabilities": cards.capabilities(found),
        "budget": cards.budget(found),
        "map": day_map.connection_map(found, utc_day(timezone.now())),
        "map_days": day_map.MAP_DAYS,
        "novelties": Paginator(
            UpstreamNovelty.objects.filter(connection_id=found.pk), _NOVELTIES_A_PAGE
        ).get_page(request.GET.get("new")),
        "restatements": Paginator(restatements, _RESTATEMENTS_A_PAGE).get_page(request.GET.get("changes")),
        **_runs(request, found),
    }
    return render(request, "dashboard/connection.html", context)


@require_safe
@page()
def status(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Return the part of a card that changes by itself; once the run somebody waits for is over, its outcome, too."""
    found = get_connection(principal, connection_id)
    run = _watched(request, found)
    card = cards.card(found, timezone.now())
    # A run that cannot move says why; somebody has to act before it goes on.
    is_over = run is not None and (run.status not in SyncRun.ACTIVE or not card.is_moving)
    context = {
        "card": card,
        "notice": notices.of_run(run, found) if run and is_over else None,
        "watched": run.pk if run and not is_over else None,
    }
    return render(request, "dashboard/parts/status_reply.html", context)


def _watched(request: HttpRequest, connection: Connection) -> SyncRun | None:
    try:
        run_id = UUID(request.GET.get("run", ""))
    except ValueError:
        return None
    return SyncRun.objects.filter(pk=run_id, connection=connection).first()


@require_safe
@page()
def runs(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Return the table of runs, which changes while one of them runs."""
    found = get_connection(principal, connection_id)
    context = {"card": cards.card(found, timezone.now()), **_runs(request, found)}
    return render(request, "dashboard/parts/runs.html", context)


def _runs(request: HttpRequest, connection: Connection) -> dict[str, object]:
    rows = SyncRun.objects.filter(connection=connection).select_related("lane", "connection")
    return {"runs": Paginator(rows, _RUNS_A_PAGE).get_page(request.GET.get("runs"))}


@require_http_methods(["GET", "HEAD", "POST"])
@page(Role.ADMIN)
def edit(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Change label and cost centre."""
    found = get_connection(principal, connection_id)
    initial = {"label": found.label, "cost_center": found.cost_center}
    title = found.label
    form = EditForm(_sent(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            lifecycle.edit(found, **form.changes(), actor=principal.name)
        except LabelTakenError as error:
            form.refuse_label(error)
        else:
            messages.success(request, "Saved.")
            return redirect("dashboard:connection", connection_id=found.pk)
    return render(request, "dashboard/edit.html", {"connection": found, "title": title, "form": form})


@sensitive_post_parameters("api_key")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@page(Role.ADMIN)
def rotate(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Replace the stored key by another one of the same organisation."""
    found = get_connection(principal, connection_id)
    form = KeyForm(_sent(request))
    notice = None
    if request.method == "POST" and form.is_valid():
        try:
            lifecycle.rotate_key(found, form.cleaned_data["api_key"], actor=principal.name)
        except RefusedError as error:
            notice = notices.of_refusal("The key was not replaced.", error)
        else:
            messages.success(request, f"The key was replaced. The one in use now is {found.key_hint}.")
            return redirect("dashboard:connection", connection_id=found.pk)
    return render(request, "dashboard/rotate.html", {"connection": found, "form": form, "notice": notice})


@require_http_methods(["GET", "HEAD", "POST"])
@page(Role.ADMIN)
def disconnect(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Say what keeping and erasing mean, then do the one that was chosen."""
    found = get_connection(principal, connection_id)
    form = DisconnectForm(found, _sent(request))
    if request.method == "POST" and form.is_valid():
        erase = form.cleaned_data["history"] == DisconnectForm.ERASE
        label = found.label
        lifecycle.disconnect(found, erase=erase, actor=principal.name)
        end = (
            "was disconnected and its history erased." if erase else "was disconnected. Its history is kept."
        )
        messages.success(request, f"{label} {end}")
        return redirect("dashboard:connections")
    coverage = cards.card(found, timezone.now()).coverage
    return render(
        request, "dashboard/disconnect.html", {"connection": found, "form": form, "coverage": coverage}
    )


def _sent(request: HttpRequest) -> QueryDict | None:
    """Return what was submitted; an empty submission is one, too, and is told what it lacks."""
    return request.POST if request.method == "POST" else None
