"""The table of endpoints: path, who may call it, and which beta header it needs; a new family adds rows here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devtools.simulator.endpoints import (
    analytics,
    api_keys,
    claude_code,
    cost_report,
    enterprise_reports,
    organisation,
    usage_report,
    users,
    workspaces,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from devtools.simulator.endpoints.call import Answer, Call

ADMIN_ONLY = ("api:admin",)
ANALYTICS = ("api:admin", "read:analytics")
ENTERPRISE_ONLY = ("read:analytics",)
ANALYTICS_BETA = "analytics-usage-cost-2026-08-24"
MEMBERS = ("api:admin", "read:members")


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; any one of `scopes` admits, `is_report` marks answers with amounts that faults can spoil."""

    path: str
    answer: Callable[[Call], Answer]
    scopes: tuple[str, ...] = ADMIN_ONLY
    is_report: bool = False
    beta: str | None = None

    def pattern(self) -> re.Pattern[str]:
        """Return the path as a pattern; every `{...}` is one argument."""
        return re.compile(re.sub(r"\{\w+\}", "([^/]+)", self.path))


ROUTES = (
    Route("/v1/organizations/me", organisation.me),
    Route("/v1/organizations/workspaces", workspaces.list_workspaces),
    Route("/v1/organizations/workspaces/{id}", workspaces.get_workspace),
    Route("/v1/organizations/api_keys", api_keys.list_api_keys),
    Route("/v1/organizations/api_keys/{id}", api_keys.get_api_key),
    Route("/v1/organizations/users", users.list_users, MEMBERS),
    Route("/v1/organizations/users/{id}", users.get_user, MEMBERS),
    Route("/v1/organizations/cost_report", cost_report.cost_report, is_report=True),
    Route("/v1/organizations/usage_report/messages", usage_report.usage_report, is_report=True),
    Route("/v1/organizations/analytics/cost", analytics.cost, ANALYTICS, is_report=True, beta=ANALYTICS_BETA),
    Route(
        "/v1/organizations/analytics/usage", analytics.usage, ANALYTICS, is_report=True, beta=ANALYTICS_BETA
    ),
    Route("/v1/organizations/usage_report/claude_code", claude_code.claude_code, is_report=True),
    *(
        Route(f"/v1/organizations/analytics/{name}", answer, ENTERPRISE_ONLY, is_report=True)
        for name, answer in (
            ("cost_report", enterprise_reports.cost_report),
            ("usage_report", enterprise_reports.usage_report),
            ("user_cost_report", enterprise_reports.user_cost_report),
            ("user_usage_report", enterprise_reports.user_usage_report),
        )
    ),
)

_PATTERNS = tuple((route.pattern(), route) for route in ROUTES)


def find_route(path: str) -> tuple[Route, tuple[str, ...]] | None:
    """Return the endpoint of a path with its path arguments, None when there is none."""
    for pattern, route in _PATTERNS:
        match = pattern.fullmatch(path)
        if match:
            return route, match.groups()
    return None
