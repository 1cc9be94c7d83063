"""Examples in the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

_TOKEN = {
    "id": "5f0c8a52-4a0f-4b43-9b6a-3f6f9a1d2c11",
    "name": "reports",
    "prefix": "0a1b2c3d",
    "role": "viewer",
    "access": "read-only",
    "owner": "alice@example.com",
    "created_at": "2026-11-20T06:04:05Z",
    "last_used_at": None,
    "expires_at": "2027-02-18T06:04:05Z",
}
_EVENT = {
    "id": 4711,
    "at": "2026-11-20T06:04:05Z",
    "actor": "alice@example.com",
    "person_id": 1,
    "token_prefix": "",
    "action": "connection.edited",
    "target": "Main",
    "target_id": "0d9f6a3e-7b1c-4e0e-8a55-2b8a3f5d7c90",
    "changes": {"cost_center": ["", "R&D"]},
    "address": "203.0.113.5",
    "request_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "sentence": "alice@example.com changed Main: cost_center from none to R&D (address 203.0.113.5).",
}

TOKEN = OpenApiExample("A token", _TOKEN, response_only=True)
TOKENS = OpenApiExample(
    "One token", {"next": None, "previous": None, "results": [_TOKEN]}, response_only=True
)
AUDIT_EVENTS = OpenApiExample(
    "One event", {"next": None, "previous": None, "results": [_EVENT]}, response_only=True
)
EVENTS_CSV = OpenApiExample(
    "One event",
    "at,who,person,token,action,target,target_id,changes,address,request_id,sentence\r\n"
    "2026-11-20T06:04:05Z,alice@example.com,1,,connection.paused,Main,0d9f6a3e-7b1c-4e0e-8a55-2b8a3f5d7c90,,203.0.113.5,"
    "6f9619ff-8b86-4d01-b42d-00cf4fc964ff,alice@example.com paused Main (address 203.0.113.5).\r\n",
    response_only=True,
    media_type="text/csv",
)
