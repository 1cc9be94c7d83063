"""Example documents for the OpenAPI description; data only."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_CONNECTION = "0b8a4f1e-6d0b-4f5e-9d3c-2f6f5a1f7c11"
_NEXT = "https://tallystick.example/api/v1/costs/?from=2026-11-01&to=2026-11-08&cursor=WzAsIjIwMjYtMTEtMDMiLCI0MTIiXQ"


def _page(row: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"next": following, "previous": None, "results": [row]}


_ASKED = {"from": "2026-11-01", "to": "2026-11-08", "workspace_id": ["wrkspc_01Jq", "null"]}
ROW_SEARCH = OpenApiExample("RowSearch", {**_ASKED, "page_size": 500}, request_only=True)
SUM_SEARCH = OpenApiExample("SumSearch", {**_ASKED, "group_by": ["model"]}, request_only=True)
COSTS = OpenApiExample(
    "Costs",
    _page(
        {
            "day": "2026-11-03",
            "connection": _CONNECTION,
            "origin": "claude_platform",
            "source": "cost_report",
            "workspace_id": None,
            "workspace_name": "Default",
            "api_key_id": None,
            "api_key_name": None,
            "actor_type": None,
            "actor_id": None,
            "actor_name": None,
            "product": None,
            "model": "claude-opus-4-6",
            "token_type": "uncached_input_tokens",
            "cost_type": "tokens",
            "service_tier": "standard",
            "context_window": "0-200k",
            "inference_geo": "global",
            "speed": None,
            "description": "Claude Opus 4.6 Usage - Input Tokens",
            "attribution": None,
            "cost_center": "R&D",
            "amount_usd": "12.345678",
            "list_amount_usd": None,
            "state": "settled",
            "observed_at": "2026-11-04T06:11:42.120000Z",
            "extra": {},
        },
        _NEXT,
    ),
    response_only=True,
)
SUMMARY = OpenApiExample(
    "By model and week",
    {
        "from": "2026-11-02",
        "to": "2026-11-09",
        "granularity": "week",
        "group_by": ["model"],
        "currency": "USD",
        "total_usd": "1234.567891",
        "previous_total_usd": "1180.20",
        "complete_through": "2026-11-08",
        "state": "settled",
        "missing": [],
        "previous_days": {"from": "2026-10-26", "to": "2026-11-02"},
        "previous_state": "settled",
        "sources": ["cost_report"],
        "not_reported": {},
        "as_of": None,
        "rows": [
            {
                "bucket": "2026-11-02",
                "group": {"model": "claude-opus-4-6"},
                "amount_usd": "1234.567891",
                "previous_usd": "1180.20",
            }
        ],
    },
    response_only=True,
)
RESTATEMENTS = OpenApiExample(
    "Restatements",
    _page(
        {
            "connection": _CONNECTION,
            "report": "cost_report",
            "day": "2026-11-03",
            "observed_at": "2026-11-05T06:12:01.330000Z",
            "before_usd": "812.10",
            "after_usd": "812.75",
            "rows_added": 0,
            "rows_changed": 2,
            "rows_removed": 0,
            "run": "9a6f8d52-3c1e-4c0a-8f57-7f6c0e1f2a33",
        }
    ),
    response_only=True,
)
WORKSPACES = OpenApiExample(
    "Workspaces",
    _page(
        {
            "id": "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ",
            "connection": _CONNECTION,
            "name": "Research",
            "names": [
                {"name": "Lab", "valid_from": "2026-09-01T06:10:00Z", "valid_to": "2026-11-01T06:10:00Z"},
                {"name": "Research", "valid_from": "2026-11-01T06:10:00Z", "valid_to": None},
            ],
            "first_day": "2026-08-30",
            "last_day": "2026-11-20",
            "archived": False,
            "archived_at": None,
            "is_listed": True,
            "attributes": {"tags": {"cost_center": "4711"}},
            "is_default": False,
        }
    ),
    response_only=True,
)
_COUNTS = {
    "uncached_input_tokens": 90210,
    "output_tokens": 30011,
    "cache_read_input_tokens": 1200400,
    "cache_write_5m_tokens": 40100,
    "cache_write_1h_tokens": 0,
    "total_tokens": 1360721,
    "web_search_requests": 4,
    "requests": 812,
}
_OTHERS = {"thinking_tokens": 300}
USAGE = OpenApiExample(
    "Usage",
    _page(
        {
            "day": "2026-11-03",
            "connection": _CONNECTION,
            "origin": "claude_platform",
            "source": "analytics_usage",
            "workspace_id": "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ",
            "workspace_name": "Research",
            "api_key_id": "apikey_01MadeUpKEY",
            "api_key_name": "ci-bot",
            "actor_type": "api_actor",
            "actor_id": "apikey_01MadeUpKEY",
            "actor_name": None,
            "product": None,
            "model": "claude-opus-4-6",
            "service_tier": "batch",
            "context_window": None,
            "inference_geo": None,
            "speed": None,
            **_COUNTS,
            "cost_center": "R&D",
            "state": "settled",
            "observed_at": "2026-11-04T06:11:42.120000Z",
            "other_counts": _OTHERS,
            "extra": {"new_dimension": "standard"},
        }
    ),
    response_only=True,
)
USAGE_SUMMARY = OpenApiExample(
    "By key",
    {
        "from": "2026-11-02",
        "to": "2026-11-09",
        "granularity": "total",
        "group_by": ["api_key_id"],
        "totals": {**_COUNTS, "other_counts": _OTHERS},
        "previous_totals": None,
        "complete_through": "2026-11-08",
        "state": "provisional",
        "missing": [],
        "previous_days": None,
        "previous_state": None,
        "left_out": ["thinking_tokens"],
        "unread": [],
        "sources": ["analytics_usage"],
        "not_reported": {},
        "rows": [
            {
                "bucket": None,
                "group": {"api_key_id": "apikey_01MadeUpKEY", "api_key_name": "ci-bot"},
                **_COUNTS,
                "other_counts": _OTHERS,
                "previous": None,
            }
        ],
    },
    response_only=True,
)
GENERATIONS = OpenApiExample(
    "One day differs",
    {
        "bill": "cost_report",
        "other": "analytics_cost",
        "days_compared": 1,
        "days_different": 1,
        "difference_usd": "0.42",
        "days": [
            {
                "day": "2026-11-03",
                "bill_usd": "812.75",
                "other_usd": "813.17",
                "difference_usd": "0.42",
                "rows": [
                    {
                        "dimensions": {
                            "workspace_id": None,
                            "model": "claude-opus-4-6",
                            "cost_type": "tokens",
                            "token_type": "output_tokens",
                            "service_tier": "standard",
                        },
                        "bill_usd": "100.00",
                        "other_usd": "100.42",
                    }
                ],
            }
        ],
    },
    response_only=True,
)
COMPLETENESS = OpenApiExample(
    "Completeness",
    {
        "connection": _CONNECTION,
        "from": "2026-11-01",
        "to": "2026-11-02",
        "safe_through": "2026-11-01",
        "missing": [],
        "reports": [
            {
                "report": "cost_report",
                "days": [
                    {"day": "2026-11-01", "state": "settled", "observed_at": "2026-11-09T06:11:42.120000Z"}
                ],
            }
        ],
    },
    response_only=True,
)


def _resource(resource_id: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": resource_id,
        "connection": _CONNECTION,
        "name": name,
        "names": [{"name": name, "valid_from": "2026-09-01T06:10:00Z", "valid_to": None}],
        "first_day": "2026-08-30",
        "last_day": "2026-11-20",
        "archived": False,
        "archived_at": None,
        "is_listed": True,
        "attributes": attributes,
    }


API_KEYS = OpenApiExample(
    "API keys", _page(_resource("apikey_01MadeUpKEY", "ci-bot", {"status": "active"})), response_only=True
)
PEOPLE = OpenApiExample(
    "People",
    _page(_resource("user_01MadeUpPERSON", "ada@example.com", {"role": "developer"})),
    response_only=True,
)
MODELS = OpenApiExample(
    "Models",
    _page({"id": "claude-opus-4-6", "first_day": "2026-02-05", "last_day": "2026-11-20"}),
    response_only=True,
)
ACTIVITY = OpenApiExample(
    "Activity",
    _page(
        {
            "day": "2026-11-03",
            "connection": _CONNECTION,
            "actor_type": "user_actor",
            "actor_id": "ada@example.com",
            "customer_type": "api",
            "subscription_type": None,
            "terminal_type": "vscode",
            "is_remote": "false",
            "sessions": 5,
            "lines_added": 1543,
            "lines_removed": 892,
            "commits": 12,
            "pull_requests": 2,
            "estimated_cost_usd": "10.25",
            "tool_actions": {"edit_tool.accepted": 45, "edit_tool.rejected": 5},
            "model_tokens": {"claude-opus-4-6.output": 35000},
            "observed_at": "2026-11-04T06:11:42.120000Z",
            "extra": {},
        }
    ),
    response_only=True,
)
COST_SOURCE = OpenApiExample("The newer report", {"cost_source": "analytics_cost"})
COSTS_CSV = OpenApiExample(
    "Costs",
    "day,connection,origin,source,workspace_id,workspace_name,…,amount_usd,list_amount_usd,state,observed_at,extra\r\n"
    f"2026-11-03,{_CONNECTION},claude_platform,cost_report,,Default,…,12.345678,,settled,2026-11-04T06:11:42.120000Z,\r\n",
    response_only=True,
    media_type="text/csv",
)
USAGE_CSV = OpenApiExample(
    "Usage",
    "day,connection,origin,source,workspace_id,workspace_name,…,total_tokens,web_search_requests,requests,…\r\n"
    f"2026-11-03,{_CONNECTION},claude_platform,analytics_usage,wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ,Research,…,1360721,4,812,…\r\n",
    response_only=True,
    media_type="text/csv",
)
FOCUS_CSV = OpenApiExample(
    "FOCUS",
    "BilledCost,BillingAccountId,BillingAccountName,BillingAccountType,BillingCurrency,…\r\n"
    "12.345678,6af48e70-288a-4183-b196-4d06630b01aa,Acorn Studio,Organization,USD,…\r\n",
    response_only=True,
    media_type="text/csv",
)
