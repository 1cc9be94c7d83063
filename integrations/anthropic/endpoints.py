"""Owns the table of Anthropic's endpoints: path, version, beta header and how each one pages; knows no row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from integrations.pages import PageRequest

ORGANIZATION = "/v1/organizations/me"
WORKSPACES = "/v1/organizations/workspaces"
API_KEYS = "/v1/organizations/api_keys"
USERS = "/v1/organizations/users"
COST_REPORT = "/v1/organizations/cost_report"
USAGE_REPORT = "/v1/organizations/usage_report/messages"
CLAUDE_CODE = "/v1/organizations/usage_report/claude_code"
ANALYTICS_COST = "/v1/organizations/analytics/cost"
ANALYTICS_USAGE = "/v1/organizations/analytics/usage"
ENTERPRISE_COST = "/v1/organizations/analytics/cost_report"
ENTERPRISE_USAGE = "/v1/organizations/analytics/usage_report"
ENTERPRISE_USER_COST = "/v1/organizations/analytics/user_cost_report"
ENTERPRISE_USER_USAGE = "/v1/organizations/analytics/user_usage_report"

# All public evidence about the classic reports is of the old version; the rest is documented for the new one.
_CLASSIC_VERSION = "2023-06-01"
CURRENT_VERSION = "2026-10-21"
# Required by both new analytics endpoints (official Python SDK 2.12.0, read 2026-11).
_ANALYTICS_BETA = "analytics-usage-cost-2026-08-24"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    How one endpoint is asked and how its pages follow each other.

    Shape:   `rows_are_buckets`: a row of a page is a time bucket that holds the real rows as `results`
    """

    version: str
    cursor_parameter: str = "page"
    cursor_field: str = "next_page"
    rows_are_buckets: bool = False
    beta: str | None = None


_NAMES = Endpoint(CURRENT_VERSION, "after_id", "last_id")
_ANALYTICS = Endpoint(CURRENT_VERSION, beta=_ANALYTICS_BETA)
_BUCKETS = Endpoint(CURRENT_VERSION, rows_are_buckets=True)
_CLASSIC_BUCKETS = Endpoint(_CLASSIC_VERSION, rows_are_buckets=True)

ENDPOINTS: Mapping[str, Endpoint] = {
    WORKSPACES: _NAMES,
    API_KEYS: _NAMES,
    USERS: _NAMES,
    COST_REPORT: _CLASSIC_BUCKETS,
    USAGE_REPORT: _CLASSIC_BUCKETS,
    CLAUDE_CODE: Endpoint(_CLASSIC_VERSION),
    ANALYTICS_COST: _ANALYTICS,
    ANALYTICS_USAGE: _ANALYTICS,
    ENTERPRISE_COST: _BUCKETS,
    ENTERPRISE_USAGE: _BUCKETS,
    ENTERPRISE_USER_COST: Endpoint(CURRENT_VERSION),
    ENTERPRISE_USER_USAGE: Endpoint(CURRENT_VERSION),
}


def sent_query(request: PageRequest) -> tuple[tuple[str, str], ...]:
    """Return every parameter of a request as it is sent, the cursor last and under its endpoint's name for it."""
    if request.cursor is None:
        return request.query
    return (*request.query, (ENDPOINTS[request.path].cursor_parameter, request.cursor))
