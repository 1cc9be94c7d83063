"""GET /v1/organizations/users and one of them: the members of now; those who left are known to reports only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devtools.simulator.clock import day_text
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.endpoints.workspaces import page_by_id
from devtools.simulator.parameters import Parameters
from devtools.simulator.wire import ApiError

if TYPE_CHECKING:
    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.world.people import User

_SCALARS = frozenset({"after_id", "before_id", "limit", "email"})
_CONSOLE_ROLES = ("admin", "billing", "claude_code_user", "developer", "user")
_ENTERPRISE_ROLES = ("managed", "membership_admin", "owner", "primary_owner", "user")


def list_users(call: Call) -> Answer:
    """Answer with a page of members, newest first."""
    parameters = Parameters.read(call.request.pairs(), _SCALARS, frozenset({"roles"}))
    roles = parameters.choices(
        "roles", _ENTERPRISE_ROLES if call.organisation.is_enterprise else _CONSOLE_ROLES
    )
    email = parameters.scalars.get("email")
    found = [
        user
        for user in call.world.roster.people(call.organisation).users
        if _is_member(call, user) and email in (None, user.email) and (not roles or user.role in roles)
    ]
    found.sort(key=lambda user: (user.added_on, user.id), reverse=True)
    return Answer(page_by_id([_describe(user) for user in found], parameters))


def get_user(call: Call) -> Answer:
    """Answer with one member."""
    Parameters.read(call.request.pairs(), frozenset(), frozenset())
    (user_id,) = call.arguments
    user = call.world.roster.people(call.organisation).find_user(user_id)
    if user is None or not _is_member(call, user):
        raise ApiError(404, f"User {user_id} not found")
    return Answer(_describe(user))


def _is_member(call: Call, user: User) -> bool:
    today = call.world.today()
    return user.added_on <= today and not user.is_deleted(today)


def _describe(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "type": "user",
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "added_at": day_text(user.added_on),
    }
