"""The audit log for the admins of an account: filtered, page by page, and as CSV."""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.actions import sentence
from accounts.api.audit_csv import export as audit_export
from accounts.models import AuditEvent, Role
from accounts.pages.forms import AuditFilter
from accounts.permissions import Principal
from dashboard.access import page
from foundation import streaming
from foundation.problems import ProblemError

_A_PAGE = 50


@require_safe
@page(Role.ADMIN)
def audit_page(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show events, the latest first."""
    form = AuditFilter(request.GET)
    found = _chosen(principal, form)
    before = request.GET.get("before", "")
    rows = list((found.filter(pk__lt=int(before)) if _is_number(before) else found)[: _A_PAGE + 1])
    kept = request.GET.copy()
    kept.pop("before", None)
    context = {
        "here": "audit",
        "form": form,
        "events": [(event, sentence(event)) for event in rows[:_A_PAGE]],
        "query": kept.urlencode(),
        "older": rows[_A_PAGE - 1].pk if len(rows) > _A_PAGE else None,
        "is_later": bool(before),
    }
    return render(request, "settings/audit.html", context)


@require_safe
@page(Role.ADMIN)
def audit_csv(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """Send the same events as CSV; a page says why where that cannot be done now."""
    export = audit_export(principal, _chosen(principal, AuditFilter(request.GET)))
    filename = f"audit-{timezone.now():%Y-%m-%d}.csv"
    try:
        return streaming.answer(request, export, filename=filename, media_type="text/csv; charset=utf-8")
    except ProblemError as problem:
        refused = render(
            request, "settings/file_refused.html", {"detail": problem.detail}, status=problem.status_code
        )
        if problem.wait:
            refused["Retry-After"] = str(problem.wait)
        return refused


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < len(str(1 << 63))


def _chosen(principal: Principal, form: AuditFilter) -> QuerySet[AuditEvent]:
    """Return the account's events that the filter lets through; a filter that makes no sense lets nothing through."""
    rows = principal.rows(AuditEvent).order_by("-pk")
    if not form.is_valid():
        return rows.none()
    given = form.cleaned_data
    conditions: dict[str, Any] = {
        "at__gte": given["since"] and _midnight(given["since"]),
        "at__lt": given["until"] and _after(given["until"]),
        "actor__icontains": given["actor"],
        "action": given["action"],
        "target__icontains": given["target"],
    }
    return rows.filter(**{name: value for name, value in conditions.items() if value})


def _after(day: dt.date) -> dt.datetime | None:
    """Return when the day is over; the last one that the calendar has never is."""
    return None if day == dt.date.max else _midnight(day + dt.timedelta(days=1))


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)
