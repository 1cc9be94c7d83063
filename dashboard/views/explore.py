"""The cost explorer: the page, the choice of filter values, and what it shows as CSV."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from accounts.permissions import Principal
from dashboard import entities, labels
from dashboard.access import page
from dashboard.connection_problems import list_trouble
from dashboard.entities import Entity
from dashboard.explore import choices, csv_file
from dashboard.explore import state as states
from dashboard.explore.movers import read_movers
from dashboard.explore.report import Report, read_report
from dashboard.explore.report_context import ReportRequest
from dashboard.explore.table import FILE_ROWS
from dashboard.views.saved import find_view, is_changed
from dashboard.views.usage import leave
from dashboard.views.welcome import first_steps
from foundation.periods import utc_day


@require_safe
@page()
def explore(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the costs that the address asks for, or the first steps while nothing is stored."""
    state, problems = states.read(request.GET, utc_day(timezone.now()))
    return _show(request, principal, state, problems)


@require_safe
@page()
def entity(request: HttpRequest, principal: Principal, kind: str, value: str) -> HttpResponse:
    """Show one workspace, key, model or person: its names over time, and the explorer narrowed to it."""
    dimension = entities.DIMENSIONS[kind]
    own = None if value == entities.NULL else value
    found = entities.find_entity(principal.account.pk, dimension, own, utc_day(timezone.now()))
    if found is None:
        raise Http404("There is no such thing in the costs of this account.")
    state, problems = states.read(request.GET, utc_day(timezone.now()))
    narrowed = state.narrowed({dimension: own})
    if "group_by" not in request.GET:
        by = labels.next_dimension(dimension, [dimension])
        narrowed = narrowed.changed(group_by=(by,) if by else ())
    return _show(request, principal, narrowed, problems, found)


def _show(
    request: HttpRequest,
    principal: Principal,
    state: states.State,
    problems: list[states.Problem],
    shown: Entity | None = None,
) -> HttpResponse:
    if state.is_usage:
        return leave(request, state)
    saved, state = find_view(request, principal, state, problems)
    report = read_report(ReportRequest(principal.account.pk, state, utc_day(timezone.now())))
    if not report.caveats.is_stored and (steps := first_steps(request, principal.account)) is not None:
        return steps
    names = labels.names(principal.account.pk, list(dict(state.filters)))
    context = {
        "report": report,
        "entity": shown,
        "saved": saved,
        "is_changed": is_changed(saved, state),
        "state": state,
        "problems": problems,
        "selects": choices.selects(state),
        "chips": choices.chips(state, names),
        "chart_document": report.chart.document(report.day_link),
        "sort_heads": choices.sort_heads(state, report.table),
        "dimensions": labels.DIMENSIONS,
        "trouble": list_trouble(principal.account, state.connections),
        "form_address": reverse("dashboard:explore"),
        "link": request.build_absolute_uri(state.address),
    }
    response = render(request, "dashboard/explore.html", context)
    if request.headers.get("HX-Request"):
        # The form sends every field; the address kept is the short one, which is also what is copied.
        push_url(response, state.address)
    return response


@require_safe
@page()
def movers(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show what moved: a part of the explorer that comes after it, or a page of its own."""
    state, problems = states.read(request.GET, utc_day(timezone.now()))
    subject = ReportRequest(principal.account.pk, state, utc_day(timezone.now()))
    context = {"moved": read_movers(subject), "state": state, "problems": problems}
    is_part = request.headers.get("HX-Request")
    return render(
        request, "dashboard/parts/movers_list.html" if is_part else "dashboard/movers.html", context
    )


@require_safe
@page()
def filter_values(request: HttpRequest, principal: Principal, dimension: str) -> HttpResponse:
    """Show the values that a dimension can be narrowed to: a part of the explorer, or a page of its own."""
    if dimension not in labels.DIMENSIONS:
        raise Http404("There is no such dimension.")
    parameters = request.GET.copy()
    search = parameters.pop("search", [""])[-1]
    today = utc_day(timezone.now())
    state, _ = states.read(parameters, today)
    context = {
        "dimension": dimension,
        "label": labels.dimension(dimension),
        "inline": labels.inline(dimension),
        "dimensions": labels.DIMENSIONS,
        "search": search,
        "state": state,
        "values": choices.filter_values(
            principal.account.pk, state, state.period(today).days, dimension=dimension, search=search
        ),
        "kept": [(name, value) for name, value in state.pairs() if name not in {dimension, "rows"}],
    }
    part = (
        "dashboard/parts/filter_values.html" if request.headers.get("HX-Request") else "dashboard/filter.html"
    )
    return render(request, part, context)


@require_safe
@page()
def table_csv(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Answer with the table of the page."""
    state, _ = states.read(request.GET, utc_day(timezone.now()))
    report = _report_for_file(principal, state)
    return _file("costs", report, csv_file.of_table(report.table, report.caveats.coverage))


@require_safe
@page()
def chart_csv(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Answer with the chart of the page."""
    state, _ = states.read(request.GET, utc_day(timezone.now()))
    report = _report_for_file(principal, state)
    return _file("costs-over-time", report, csv_file.of_chart(report.chart))


def _report_for_file(principal: Principal, state: states.State) -> Report:
    subject = ReportRequest(principal.account.pk, state, utc_day(timezone.now()))
    return read_report(subject, with_forecast=False, all_rows=FILE_ROWS)


def _file(name: str, report: Report, text: str) -> HttpResponse:
    days = report.period.days
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    last = report.chart.buckets[-1].last if report.chart.buckets else days.start
    response["Content-Disposition"] = f'attachment; filename="{name}_{days.start}_{last}.csv"'
    return response
