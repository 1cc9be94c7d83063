"""The dimensions of the analytics family: who may group and filter by them, and how their values are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devtools.simulator.wire import ApiError
from devtools.simulator.world.identity import API, FEDERATED, HIDDEN, SERVICE_ACCOUNT, USER

if TYPE_CHECKING:
    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.parameters import Parameters
    from devtools.simulator.world.identity import Identity

ANYBODY, CONSOLE, ENTERPRISE, PARENT = "anybody", "console", "enterprise", "parent"
GEOS = ("global", "us", "not_available")
CONTEXTS = ("0-200k", "200k-1M")
SPEEDS = ("standard", "fast")
_TIERS = ("standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount")
_ACTOR_TYPES = (USER, SERVICE_ACCOUNT, FEDERATED, API)
PRODUCTS = ("chat", "chat_cowork_unified", "claude_code", "claude_console", "claude_design", "claude_in_chrome", "claude_tag",
            "cowork", "managed_agents_api", "message_batches_api", "messages_api", "office_agent")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension: the identity's field behind it, its filter, the filter's values when closed, and for whom it is."""

    field: str
    filter: str
    values: tuple[str, ...] | None = None
    audience: str = ANYBODY


# In the order in which the docs' sample shows the keys of `group`.
DIMENSIONS = {
    "actor": Dimension("actor", "actor_ids"),
    "actor_type": Dimension("actor_type", "actor_types", _ACTOR_TYPES),
    "agent_id": Dimension("agent_id", "agent_ids", audience=CONSOLE),
    "api_key_id": Dimension("api_key_id", "api_key_ids", audience=CONSOLE),
    "claude_tag_category": Dimension("claude_tag_category", "claude_tag_categories"),
    "claude_tag_user_id": Dimension("claude_tag_user_id", "claude_tag_user_ids"),
    "context_window": Dimension("context_window", "context_windows", CONTEXTS),
    "deployment_id": Dimension("deployment_id", "deployment_ids", audience=CONSOLE),
    "environment_id": Dimension("environment_id", "environment_ids", audience=CONSOLE),
    "inference_geo": Dimension("analytics_geo", "inference_geos", GEOS),
    "model": Dimension("model", "models"),
    "organization_id": Dimension("organization_id", "organization_ids", audience=PARENT),
    "product": Dimension("product", "products", PRODUCTS),
    "rbac_group_id": Dimension("groups", "rbac_group_ids", audience=ENTERPRISE),
    "service_tier": Dimension("service_tier", "service_tiers", _TIERS, CONSOLE),
    "session_id": Dimension("session_id", "session_ids", audience=CONSOLE),
    "slack_channel_id": Dimension("slack_channel_id", "slack_channel_ids"),
    "speed": Dimension("speed", "speeds", SPEEDS),
    "user_profile_id": Dimension("user_profile_id", "user_profile_ids", audience=CONSOLE),
    "workspace_id": Dimension("workspace_id", "workspace_ids", audience=CONSOLE),
}
FILTERS = frozenset(dimension.filter for dimension in DIMENSIONS.values())
# One value per dimension grouped by; an actor is a pair of kind and id.
Group = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one query: a row must match one value of each; None stands for having no value."""

    wanted: tuple[tuple[str, frozenset[str | None]], ...]

    def passes(self, identity: Identity) -> bool:
        """Say whether the identity matches."""
        return all(self._matches(identity, name, values) for name, values in self.wanted)

    def groups(self, identity: Identity) -> tuple[str | None, ...]:
        """Return the groups an identity counts for: those held, or those of them that were asked for."""
        held: tuple[str | None, ...] = identity.groups or (None,)
        chosen = dict(self.wanted).get("rbac_group_id")
        return held if chosen is None else tuple(group for group in held if group in chosen)

    def _matches(self, identity: Identity, name: str, values: frozenset[str | None]) -> bool:
        if name == "actor":
            return identity.actor_id in values
        if name == "rbac_group_id":
            return bool(values & set(identity.groups or (None,)))
        return getattr(identity, DIMENSIONS[name].field) in values


def read_filters(parameters: Parameters, names: dict[str, str]) -> Filters:
    """Return the filters sent; `names` is filter by dimension. An empty entry asks for rows without a value."""
    found = []
    for name, filter_name in names.items():
        if filter_name in parameters.lists:
            allowed = DIMENSIONS[name].values
            sent = (
                parameters.choices(filter_name, allowed)
                if allowed
                else frozenset(parameters.lists[filter_name])
            )
            absent = "not_available" if name == "inference_geo" else ""
            found.append((name, frozenset(None if value == absent else value for value in sent)))
    return Filters(tuple(found))


def check_audience(call: Call, names: set[str]) -> None:
    """Refuse dimensions that the organisation's kind does not have."""
    for name in sorted(names):
        audience = DIMENSIONS[name].audience
        if audience == PARENT:
            raise ApiError(
                400,
                f"{name} is available to parent organizations only",
                error_code="parent_organization_required",
            )
        if audience in (CONSOLE, ENTERPRISE) and (audience == ENTERPRISE) != call.organisation.is_enterprise:
            raise ApiError(
                400,
                f"{name} is not available for this type of organization",
                error_code="organization_type_not_supported",
            )
    if "claude_tag_user_id" in names and "rbac_group_id" in names:
        raise ApiError(400, "claude_tag_user_id cannot be combined with rbac_group_id")


def list_groups(identity: Identity, names: tuple[str, ...], filters: Filters) -> list[Group]:
    """Return the groups an identity belongs to: one, or one for each RBAC group when these are grouped by."""
    if "rbac_group_id" not in names:
        return [tuple(getattr(identity, DIMENSIONS[name].field) for name in names)]
    return [
        tuple(
            group if name == "rbac_group_id" else getattr(identity, DIMENSIONS[name].field) for name in names
        )
        for group in filters.groups(identity)
    ]


def describe_value(call: Call, name: str, value: Any) -> Any:
    """Write a dimension's value as the reports do."""
    return describe_actor(call, value) if name == "actor" else value


def describe_actor(call: Call, actor: tuple[str, str] | None) -> dict[str, Any] | None:
    """Write an actor with the names of now; one that the provider cannot show is null."""
    if actor is None or actor[0] == HIDDEN:
        return None
    kind, name = actor
    if kind == SERVICE_ACCOUNT:
        return {"type": kind, "service_account_id": name}
    if kind == API:
        return {"type": kind, "api_key_id": name}
    if kind == FEDERATED:
        return {
            "type": kind,
            "subject": name,
            "provider": {"type": "oidc", "issuer": "https://ci.example/oidc"},
        }
    user = call.world.roster.people(call.organisation).find_user(name)
    is_deleted = user is None or user.is_deleted(call.world.today())
    return {
        "type": kind,
        "user_id": name,
        "email_address": None if user is None or is_deleted else user.email,
        "name": "Deleted User" if user is None or is_deleted else user.name,
        "deleted": is_deleted,
    }


def is_deleted_user(call: Call, actor: tuple[str, str] | None) -> bool:
    """Say whether the actor is a member who has left."""
    described = describe_actor(call, actor)
    return described is not None and described.get("deleted") is True
