"""GET /v1/organizations/workspaces and one of them: the names behind workspace ids, paged by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from devtools.simulator.clock import day_text
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.parameters import Parameters
from devtools.simulator.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.world.organisations import Workspace

_SCALARS = frozenset({"after_id", "before_id", "limit", "include_archived", "include_default"})
_MAX_IDS = 100

Item = TypeVar("Item", bound="dict[str, Any]")


def list_workspaces(call: Call) -> Answer:
    """Answer with a page of workspaces, newest first."""
    parameters = Parameters.read(call.request.pairs(), _SCALARS, frozenset({"ids"}))
    with_archived, with_default = (
        parameters.boolean("include_archived"),
        parameters.boolean("include_default"),
    )
    wanted = parameters.lists.get("ids")
    if wanted is not None and len(wanted) > _MAX_IDS:
        raise ApiError(400, f"ids: List should have at most {_MAX_IDS} items")
    found = [
        workspace
        for workspace in call.organisation.workspaces
        if (with_default or not workspace.is_default)
        and (with_archived or workspace.archived_on is None)
        and (wanted is None or workspace.id in wanted)
    ]
    found.sort(key=lambda workspace: (workspace.created_on, workspace.id), reverse=True)
    return Answer(page_by_id([describe_workspace(workspace) for workspace in found], parameters))


def get_workspace(call: Call) -> Answer:
    """Answer with one workspace, archived or not; the default workspace has a real id here."""
    Parameters.read(call.request.pairs(), frozenset(), frozenset())
    (workspace_id,) = call.arguments
    for workspace in call.organisation.workspaces:
        if workspace.id == workspace_id:
            return Answer(describe_workspace(workspace))
    raise ApiError(404, f"Workspace {workspace_id} not found")


def page_by_id(items: Sequence[Item], parameters: Parameters) -> dict[str, Any]:
    """Cut one page out of items that have an `id`, by `after_id`, `before_id` and `limit` (paging style A)."""
    limit = parameters.integer("limit", default=20, low=1, high=1000)
    after_id, before_id = parameters.scalars.get("after_id"), parameters.scalars.get("before_id")
    if after_id is not None and before_id is not None:
        raise ApiError(400, "after_id and before_id cannot be used together")
    ids = [item["id"] for item in items]
    anchor = after_id if after_id is not None else before_id
    if anchor is not None and anchor not in ids:
        raise ApiError(
            400, f"{'after_id' if after_id is not None else 'before_id'}: no such object: {anchor}"
        )
    if before_id is not None:
        end = ids.index(before_id)
        start = max(0, end - limit)
        has_more = start > 0
    else:
        start = ids.index(after_id) + 1 if after_id is not None else 0
        end = start + limit
        has_more = end < len(items)
    page = list(items[start:end])
    return {
        "data": page,
        "has_more": has_more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def describe_workspace(workspace: Workspace) -> dict[str, Any]:
    """Return the workspace as the API shows it."""
    return {
        "id": workspace.id,
        "type": "workspace",
        "name": workspace.name,
        "created_at": day_text(workspace.created_on),
        "archived_at": day_text(workspace.archived_on) if workspace.archived_on else None,
        "display_color": workspace.display_color,
        "compartment_id": f"cmpt_{workspace.id[-12:]}",
        "data_residency": {
            "workspace_geo": "us",
            "default_inference_geo": "global",
            "allowed_inference_geos": "unrestricted",
        },
        "external_key_id": None,
        "tags": dict(workspace.tags),
        "user_profile_id": None,
    }
