"""Exports: how to get everything out, by hand and by program."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import is_valid_path, resolve
from django.views.decorators.http import require_safe

from accounts.permissions import Principal
from dashboard.access import page

# Offered as soon as the API has them.
_FILES = (
    ("costs.csv", "Every cost row", "one line for each day and combination of dimensions, amounts exact"),
    ("usage.csv", "Every usage row", "tokens by kind, requests and searches, day by day"),
    ("costs.parquet", "Every cost row, as Parquet", "typed columns for DuckDB, pandas, Spark or BigQuery"),
    ("focus.csv", "FOCUS", "the FinOps Open Cost and Usage Specification"),
)
_ROOT = "/api/v1/exports/"


def _is_there(name: str) -> bool:
    """Say whether the API has a file: what it does not know is answered by one view for all."""
    return resolve(f"{_ROOT}{name}").func is not resolve(f"{_ROOT}there-is-no-such-file").func


@require_safe
@page()
def exports(request: HttpRequest, principal: Principal) -> HttpResponse:  # noqa: ARG001 - every page has one
    """Show what can be exported and how."""
    files = [
        {"path": f"{_ROOT}{name}", "name": name, "title": title, "note": note}
        for name, title, note in _FILES
        if _is_there(name)
    ]
    context = {
        "files": files,
        "base": settings.PUBLIC_URL.rstrip("/"),
        "tokens": is_valid_path("/settings/tokens/"),
    }
    return render(request, "dashboard/exports.html", context)
