"""Owns the table of what is read from Anthropic: one ReportSpec per report, with its query, its windows and its meaning."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from costs.records import Origin
from costs.sources import ANALYTICS_BEGINS
from integrations.anthropic import endpoints
from integrations.anthropic.report_spec import Family, Kind, ParsedWindow, ReportSpec
from integrations.anthropic.reports import (
    analytics,
    classic_cost,
    classic_usage,
    claude_code,
    enterprise,
    names,
)
from integrations.anthropic.reports.analytics import AnalyticsQuery
from integrations.anthropic.reports.enterprise import EnterpriseQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from foundation.periods import DayRange
    from integrations.pages import PageRequest

    _FirstPage = Callable[[DayRange | None], PageRequest]
    _Read = Callable[[DayRange | None, Sequence[bytes], Sequence[str | None]], ParsedWindow]

__all__ = ["REPORT_SPECS", "Family", "Kind", "ParsedWindow", "ReportSpec"]

# Upstream's limit (official Python SDK 2.12.0, read 2026-11). A day less than its 365, because the midnight 365 days
# ago has passed out of them by the time anything is asked.
_ANALYTICS_DAYS = timedelta(days=364)
# Adoption is looked at by week and month, and every day of it is a request of its own.
_CLAUDE_CODE_DAYS = 31
_CLAUDE_CODE_SETTLES = 2
_ACTOR = frozenset({"actor_type", "actor_id"})
_COST_TYPES = frozenset({"cost_type", "token_type"})


def analytics_first_day(today: date) -> date:
    """Return the first day that the analytics reports still have."""
    return max(ANALYTICS_BEGINS, today - _ANALYTICS_DAYS)


def _by_day(
    first_page: Callable[[DayRange], PageRequest],
    read: Callable[[DayRange, Sequence[bytes], Sequence[str | None]], ParsedWindow],
) -> tuple[_FirstPage, _Read]:
    """Say that a spec cannot be read without a window."""

    def days(window: DayRange | None) -> DayRange:
        if window is None:
            raise ValueError("this spec is read by day: a window is needed")
        return window

    return (
        lambda window: first_page(days(window)),
        lambda window, bodies, request_ids: read(days(window), bodies, request_ids),
    )


def _columns(group_by: Iterable[str]) -> frozenset[str]:
    """Return the columns that a query's dimensions fill."""
    return frozenset(column for name in group_by for column in (_ACTOR if name == "actor" else (name,)))


def _analytics(
    name: str,
    origin: Origin,
    measure: analytics.Measure,
    group_by: tuple[str, ...],
    *,
    is_bill: bool = False,
) -> ReportSpec:
    query = AnalyticsQuery(name, origin, measure, group_by)
    return ReportSpec(
        name,
        "analytics",
        measure,
        origin,
        analytics.MAX_DAYS,
        *_by_day(query.first_page, query.read),
        dimensions=_columns(group_by) | (_COST_TYPES if measure == "cost" else frozenset()),
        is_bill=is_bill,
        first_available_day=analytics_first_day,
    )


def _fallback(query: EnterpriseQuery, *, is_bill: bool = False) -> ReportSpec:
    return ReportSpec(
        query.name,
        "analytics",
        "cost" if query.is_cost else "usage",
        Origin.CLAUDE_AI,
        enterprise.MAX_DAYS,
        *_by_day(query.first_page, query.read),
        dimensions=_columns(query.group_by) | (_ACTOR if query.is_by_user else frozenset()),
        is_bill=is_bill,
        first_available_day=analytics_first_day,
        instead_of="enterprise_cost" if query.is_cost else "enterprise_usage",
    )


def _names(
    family: Family,
    origin: Origin,
    request: PageRequest,
    read: Callable[[Sequence[bytes], Sequence[str | None]], ParsedWindow],
) -> ReportSpec:
    return ReportSpec(
        request.report_name,
        family,
        "names",
        origin,
        None,
        lambda _window: request,
        lambda _window, bodies, request_ids: read(bodies, request_ids),
    )


_CONSOLE, _ENTERPRISE = Origin.CLAUDE_PLATFORM, Origin.CLAUDE_AI
# Five dimensions a query at most: the first set says who and at which rate, the second what was served and where.
# Both are the same money, so the second is no bill.
_WHO = ("actor", "api_key_id", "workspace_id", "model", "service_tier")
_SERVING = ("product", "model", "context_window", "inference_geo", "speed")
_MEMBER = ("actor", "product", "model", "context_window", "inference_geo")
_PRODUCT = ("product", "model")

COST_REPORT = ReportSpec(
    "cost_report",
    "classic",
    "cost",
    _CONSOLE,
    classic_cost.MAX_DAYS,
    *_by_day(classic_cost.cost_report_request, classic_cost.read_cost_report),
    dimensions=frozenset(
        {
            "workspace_id", "model", "token_type", "cost_type", "service_tier", "context_window", "inference_geo",
            "description",
        }
    ),
    is_bill=True,
)  # fmt: skip
USAGE_REPORT = ReportSpec(
    "usage_report",
    "classic",
    "usage",
    _CONSOLE,
    classic_usage.MAX_DAYS,
    *_by_day(classic_usage.usage_report_request, classic_usage.read_usage_report),
    dimensions=frozenset({"workspace_id", "api_key_id", "model", "service_tier"}) | _ACTOR,
)
CLAUDE_CODE = ReportSpec(
    "claude_code",
    "classic",
    "activity",
    _CONSOLE,
    1,
    *_by_day(claude_code.claude_code_request, claude_code.read_claude_code),
    dimensions=frozenset({"customer_type", "subscription_type", "terminal_type", "is_remote"}) | _ACTOR,
    depth_days=_CLAUDE_CODE_DAYS,
    settle_days=_CLAUDE_CODE_SETTLES,
)
WORKSPACES = _names("classic", _CONSOLE, names.workspaces_request(), names.read_workspaces)

_ALL = (
    COST_REPORT,
    USAGE_REPORT,
    CLAUDE_CODE,
    WORKSPACES,
    _names("classic", _CONSOLE, names.api_keys_request(), names.read_api_keys),
    _names("classic", _CONSOLE, names.people_request("users"), names.read_people),
    _analytics("analytics_cost", _CONSOLE, "cost", _WHO, is_bill=True),
    _analytics("analytics_cost_serving", _CONSOLE, "cost", _SERVING),
    _analytics("analytics_usage", _CONSOLE, "usage", _WHO),
    _analytics("analytics_usage_serving", _CONSOLE, "usage", _SERVING),
    _analytics("enterprise_cost", _ENTERPRISE, "cost", _MEMBER, is_bill=True),
    _analytics("enterprise_cost_speed", _ENTERPRISE, "cost", _SERVING),
    _analytics("enterprise_usage", _ENTERPRISE, "usage", _MEMBER),
    _analytics("enterprise_usage_speed", _ENTERPRISE, "usage", _SERVING),
    _names("analytics", _ENTERPRISE, names.people_request("members"), names.read_people),
    # Without any grouping it is the true total, which no cap on groups can touch.
    _fallback(EnterpriseQuery("enterprise_cost_report", endpoints.ENTERPRISE_COST), is_bill=True),
    _fallback(EnterpriseQuery("enterprise_cost_by_product", endpoints.ENTERPRISE_COST, _PRODUCT)),
    _fallback(EnterpriseQuery("enterprise_user_cost_report", endpoints.ENTERPRISE_USER_COST, _PRODUCT)),
    _fallback(EnterpriseQuery("enterprise_usage_report", endpoints.ENTERPRISE_USAGE, _PRODUCT)),
    _fallback(EnterpriseQuery("enterprise_user_usage_report", endpoints.ENTERPRISE_USER_USAGE, _PRODUCT)),
)

REPORT_SPECS: Mapping[str, ReportSpec] = {spec.name: spec for spec in _ALL}
