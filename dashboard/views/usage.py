"""Usage: tokens, requests and searches over time and by group, and what caching saved."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRedirect, push_url

from accounts.permissions import Principal
from dashboard import labels
from dashboard.access import page
from dashboard.connection_problems import list_trouble
from dashboard.explore import choices, csv_file
from dashboard.explore import state as states
from dashboard.explore.report_context import ReportRequest
from dashboard.explore.state import State
from dashboard.explore.table import FILE_ROWS
from dashboard.explore.usage import read_cache_economics, read_usage
from dashboard.views.saved import find_view, is_changed
from dashboard.views.welcome import first_steps
from foundation.periods import utc_day


@require_safe
@page()
def usage(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the usage that the address asks for, or the first steps while nothing is stored."""
    state, problems = _state(request)
    if request.GET.get("metric", "tokens") not in {"tokens", ""}:
        return leave(request, state.changed(metric=request.GET["metric"]))
    saved, state = find_view(request, principal, state, problems)
    report = read_usage(_subject(principal, state))
    if not report.caveats.is_stored and (steps := first_steps(request, principal.account)) is not None:
        return steps
    names = labels.names(principal.account.pk, list(dict(state.filters)))
    context = {
        "report": report,
        "saved": saved,
        "is_changed": is_changed(saved, state),
        "state": state,
        "problems": problems,
        "selects": choices.selects(state),
        "chips": choices.chips(state, names),
        "chart_document": report.chart.document(),
        "dimensions": labels.DIMENSIONS,
        "unknown": [labels.inline(name) for name in report.unknown],
        "trouble": list_trouble(principal.account, state.connections),
        "link": request.build_absolute_uri(state.address),
        "form_address": request.path,
        "as_costs": state.changed(metric="cost").address,
    }
    response = render(request, "dashboard/usage.html", context)
    if request.headers.get("HX-Request"):
        push_url(response, state.address)
    return response


@require_safe
@page()
def caching(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show what caching saved: a part of the page that comes after it, or a page of its own."""
    state, problems = _state(request)
    context = {
        "caching": read_cache_economics(_subject(principal, state)), "state": state, "problems": problems,
    }  # fmt: skip
    is_part = request.headers.get("HX-Request")
    return render(request, "dashboard/parts/caching.html" if is_part else "dashboard/caching.html", context)


@require_safe
@page()
def usage_csv(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Answer with the table of the page."""
    state, _ = _state(request)
    report = read_usage(_subject(principal, state), all_rows=FILE_ROWS)
    days = report.period
    response = HttpResponse(csv_file.of_usage(report), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="usage_{days.days.start}_{days.last}.csv"'
    return response


def leave(request: HttpRequest, state: State) -> HttpResponse:
    """Go to the page that shows another metric."""
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(state.address)
    return redirect(state.address)


def _state(request: HttpRequest) -> tuple[State, list[states.Problem]]:
    state, problems = states.read(request.GET, utc_day(timezone.now()))
    return state.changed(metric="tokens", as_of=None), problems


def _subject(principal: Principal, state: State) -> ReportRequest:
    return ReportRequest(principal.account.pk, state, utc_day(timezone.now()))
