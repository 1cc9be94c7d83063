"""Everything that can be known about who used what: the dimensions by which reports group; holds no number."""

from __future__ import annotations

from dataclasses import dataclass, fields

# An actor is a kind and an id. The id of a hidden one tells rows apart that the provider cannot put a name to.
USER, SERVICE_ACCOUNT, FEDERATED, API, HIDDEN = (
    "user_actor",
    "service_account_actor",
    "federated_actor",
    "api_actor",
    "hidden",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """One full combination of dimensions; names are those of the reports.

    `workspace_id` is the real id; `report_workspace_id` is None for the default workspace, as classic reports write it.
    `inference_geo` is the classic value; the analytics reports write null where it is `not_available`.
    """

    workspace_id: str | None = None
    report_workspace_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    api_key_id: str | None = None
    account_id: str | None = None
    service_account_id: str | None = None
    actor: tuple[str, str] | None = None
    product: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    deployment_id: str | None = None
    environment_id: str | None = None
    user_profile_id: str | None = None
    organization_id: str | None = None
    claude_tag_category: str | None = None
    claude_tag_user_id: str | None = None
    slack_channel_id: str | None = None
    # A member can be in several groups at once: reports repeat the usage in each of them.
    groups: tuple[str, ...] = ()

    @property
    def actor_type(self) -> str | None:
        """The kind of actor, None for one that cannot be named."""
        return self.actor[0] if self.actor is not None and self.actor[0] != HIDDEN else None

    @property
    def actor_id(self) -> str | None:
        """The id of the actor, None for one that cannot be named."""
        return self.actor[1] if self.actor is not None and self.actor[0] != HIDDEN else None

    @property
    def analytics_geo(self) -> str | None:
        """The place of inference as the analytics reports write it."""
        return None if self.inference_geo == "not_available" else self.inference_geo


IDENTITY_FIELDS = tuple(field.name for field in fields(Identity))
