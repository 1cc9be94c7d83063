"""Example documents for the OpenAPI description; data only."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_ID = "0b8a4f1e-6d0b-4f5e-9d3c-2f6f5a1f7c11"
_KEY = "sk-ant-admin01-..."

_CONNECTION: dict[str, Any] = {
    "id": _ID,
    "provider": "anthropic",
    "origin": "claude_platform",
    "label": "Production",
    "cost_center": None,
    "organization": {"id": "5f0c6f0e-0000-4000-8000-000000000001", "name": "Acorn Studio"},
    "key_hint": "sk-ant-admin01-…9f3a",
    "status": "backfilling",
    "reason": None,
    "detail": None,
    "remedy": None,
    "data_from": "2026-10-22",
    "data_through": "2026-11-21",
    "last_synced_at": None,
    "next_sync_at": "2026-11-22T06:11:42Z",
    "backfill": {"days_total": 366, "days_done": 31, "requests_left": 12, "eta_at": "2026-11-21T09:44:10Z"},
    "cost_source": "cost_report",
    "reports": [
        {
            "report": "cost_report",
            "kind": "cost",
            "is_refused": False,
            "from_day": "2025-11-21",
            "settled_through": None,
            "read_at": "2026-11-21T09:41:30.512000Z",
            "reason": None,
            "detail": None,
        }
    ],
    "created_at": "2026-11-21T09:41:07.120000Z",
}
_RUN: dict[str, Any] = {
    "id": "9a6f8d52-3c1e-4c0a-8f57-7f6c0e1f2a33",
    "connection": _ID,
    "trigger": "force",
    "status": "queued",
    "family": "classic",
    "from": "2026-11-01",
    "to": "2026-11-08",
    "steps_total": 2,
    "steps_done": 0,
    "requests": 0,
    "rows_added": 0,
    "rows_changed": 0,
    "rows_removed": 0,
    "rows_unchanged": 0,
    "reason": None,
    "detail": None,
    "next_attempt_at": "2026-11-21T09:41:08.004000Z",
    "requested_at": "2026-11-21T09:41:07.998000Z",
    "started_at": None,
    "finished_at": None,
}

CONNECTION = OpenApiExample("Connection", _CONNECTION, response_only=True)
CONNECTIONS = OpenApiExample(
    "Connections", {"next": None, "previous": None, "results": [_CONNECTION]}, response_only=True
)
RUN = OpenApiExample("Run", _RUN, response_only=True)
RUNS = OpenApiExample("Runs", {"next": None, "previous": None, "results": [_RUN]}, response_only=True)
KEY = OpenApiExample("Key", {"api_key": _KEY}, request_only=True)
NEW_CONNECTION = OpenApiExample(
    "New connection",
    {"provider": "anthropic", "api_key": _KEY, "label": "Production", "cost_center": "R&D"},
    request_only=True,
)
TEST_RESULTS = [
    OpenApiExample(
        "A key that works",
        {
            "ok": True,
            "origin": "claude_platform",
            "organization": _CONNECTION["organization"],
            "capabilities": [
                {"name": "organization", "ok": True, "reason": None, "detail": None},
                {
                    "name": "cost_report",
                    "ok": True,
                    "reason": None,
                    "detail": "Cost of the Priority Tier is not part of this report.",
                },
                {
                    "name": "claude_code",
                    "ok": None,
                    "reason": None,
                    "detail": "Not tried yet: the first sync does.",
                },
            ],
            "reason": None,
            "detail": "This key reads the cost reports of Acorn Studio.",
            "remedy": None,
            "retry_after_seconds": None,
        },
        response_only=True,
    ),
    OpenApiExample(
        "A key that does not",
        {
            "ok": False,
            "origin": None,
            "organization": None,
            "capabilities": [],
            "reason": "key_malformed",
            "detail": "This is not an Anthropic key: it does not start with sk-ant-.",
            "remedy": "Paste the whole key; it starts with sk-ant- and holds no spaces or line breaks.",
            "retry_after_seconds": None,
        },
        response_only=True,
    ),
]
