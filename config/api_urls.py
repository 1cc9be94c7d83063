"""The map of the REST API; whatever is not on it is a 404 problem, also without its closing slash."""

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, path, re_path, resolve
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import NotFound

from accounts.api import views as tokens
from costs.api import api_version_views, export_views, resource_views, searches, usage_views
from costs.api import views as costs
from foundation import problems
from foundation.api import docs
from integrations.api import connections, runs


@csrf_exempt
def unknown(request: HttpRequest) -> HttpResponse:
    """Answer 404 here and not by Django's redirect, which would turn a POST without a slash into a GET."""
    hint = ""
    if not request.path.endswith("/") and _exists(f"{request.path}/"):
        hint = f" Did you mean {request.path}/ with a closing slash?"
    return problems.response(NotFound(f"There is nothing at {request.path}.{hint}"), request.path)


def _exists(address: str) -> bool:
    try:
        return resolve(address).func is not unknown
    except Resolver404:
        return False


_one = "v1/connections/<uuid:connection_id>"

urlpatterns = [
    path("v1/connections/", connections.ConnectionsView.as_view()),
    path("v1/connections/test/", connections.KeyTestView.as_view()),
    path(f"{_one}/", connections.ConnectionView.as_view()),
    path(f"{_one}/test/", connections.StoredKeyTestView.as_view()),
    path(f"{_one}/sync/", connections.SyncView.as_view()),
    path(f"{_one}/rotate-key/", connections.RotateKeyView.as_view()),
    path(f"{_one}/pause/", connections.PauseView.as_view()),
    path(f"{_one}/resume/", connections.ResumeView.as_view()),
    path(f"{_one}/runs/", runs.ConnectionRunsView.as_view()),
    path(f"{_one}/completeness/", costs.CompletenessView.as_view()),
    path(f"{_one}/generations/", api_version_views.GenerationsView.as_view()),
    path(f"{_one}/cost-source/", api_version_views.CostSourceView.as_view()),
    path("v1/runs/<uuid:run_id>/", runs.RunView.as_view()),
    path("v1/costs/", costs.CostsView.as_view()),
    path("v1/costs/summary/", costs.SummaryView.as_view()),
    path("v1/costs/search/", searches.CostsSearchView.as_view()),
    path("v1/costs/summary/search/", searches.SummarySearchView.as_view()),
    path("v1/restatements/", costs.RestatementsView.as_view()),
    path("v1/tokens/", tokens.TokensView.as_view()),
    path("v1/tokens/<uuid:token_id>/", tokens.TokenView.as_view()),
    path("v1/audit-events/", tokens.AuditEventsView.as_view()),
    path("v1/usage/", usage_views.UsageView.as_view()),
    path("v1/usage/summary/", usage_views.UsageSummaryView.as_view()),
    path("v1/usage/search/", searches.UsageSearchView.as_view()),
    path("v1/usage/summary/search/", searches.UsageSummarySearchView.as_view()),
    path("v1/activity/", usage_views.ActivityView.as_view()),
    path("v1/exports/costs.csv", export_views.CostsCsvView.as_view()),
    path("v1/exports/usage.csv", export_views.UsageCsvView.as_view()),
    path("v1/exports/focus.csv", export_views.FocusCsvView.as_view()),
    path("v1/exports/audit-events.csv", tokens.AuditCsvView.as_view()),
    path("v1/exports/costs.parquet", export_views.CostsParquetView.as_view()),
    path("v1/workspaces/", resource_views.WorkspacesView.as_view()),
    path("v1/api-keys/", resource_views.ApiKeysView.as_view()),
    path("v1/people/", resource_views.PeopleView.as_view()),
    path("v1/models/", resource_views.ModelsView.as_view()),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs.docs, name="api-docs"),
    path("docs/start.js", docs.start_script),
    re_path(r"", unknown),
]
