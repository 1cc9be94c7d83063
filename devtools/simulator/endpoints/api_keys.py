"""GET /v1/organizations/api_keys and one of them: every key of every status, in the form of the version asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devtools.simulator.clock import day_text
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.endpoints.workspaces import page_by_id
from devtools.simulator.parameters import Parameters
from devtools.simulator.wire import ApiError
from devtools.simulator.world.people import KEY_STATUSES

if TYPE_CHECKING:
    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.world.people import ApiKey

_SCALARS = frozenset({"after_id", "before_id", "limit", "status", "workspace_id", "created_by_user_id"})
# The version that still has the deprecated top-level workspace id.
_OLD_VERSION = "2023-06-01"


def list_api_keys(call: Call) -> Answer:
    """Answer with a page of keys, newest first."""
    parameters = Parameters.read(call.request.pairs(), _SCALARS, frozenset())
    today = call.world.today()
    status = parameters.choice("status", KEY_STATUSES) if "status" in parameters.scalars else None
    wanted = parameters.scalars
    found = [
        key
        for key in call.world.roster.people(call.organisation).keys
        if key.created_on <= today
        and status in (None, key.status_on(today))
        and wanted.get("workspace_id") in (None, key.workspace_id)
        and wanted.get("created_by_user_id") in (None, key.created_by)
    ]
    found.sort(key=lambda key: (key.created_on, key.id), reverse=True)
    return Answer(page_by_id([_describe(call, key) for key in found], parameters))


def get_api_key(call: Call) -> Answer:
    """Answer with one key, whatever its status."""
    Parameters.read(call.request.pairs(), frozenset(), frozenset())
    (key_id,) = call.arguments
    key = call.world.roster.people(call.organisation).find_key(key_id)
    if key is None or key.created_on > call.world.today():
        raise ApiError(404, f"API key {key_id} not found")
    return Answer(_describe(call, key))


def _describe(call: Call, key: ApiKey) -> dict[str, Any]:
    scope = (
        {"type": "organization"}
        if key.workspace_id is None
        else {"type": "workspace", "workspace_id": key.workspace_id}
    )
    described: dict[str, Any] = {
        "id": key.id,
        "type": "api_key",
        "name": key.name,
        "status": key.status_on(call.world.today()),
        "created_at": day_text(key.created_on),
        "expires_at": day_text(key.expires_on) if key.expires_on else None,
        "partial_key_hint": key.hint,
        "created_by": _creator(key.created_by),
        "principal": _principal(key.principal),
        "scope": scope,
    }
    if call.request.headers.get("anthropic-version") == _OLD_VERSION:
        default = call.organisation.workspaces[0].id
        described["workspace_id"] = None if key.workspace_id == default else key.workspace_id
    return described


def _creator(creator: str | None) -> dict[str, str] | None:
    if creator is None:
        return None
    return {"id": creator, "type": "user" if creator.startswith("user_") else "service_account"}


def _principal(principal: str | None) -> dict[str, str] | None:
    if principal is None:
        return None
    if principal.startswith("user_"):
        return {"type": "user_actor", "user_id": principal}
    return {"type": "service_account_actor", "service_account_id": principal}
