"""The words for values that the engine and the provider write in short: origins, triggers, capabilities; pure."""

from collections.abc import Mapping

from costs.coverage import Reason
from costs.records import Origin
from workers.models import Trigger

_ORIGINS: Mapping[str, str] = {
    Origin.CLAUDE_PLATFORM: "Claude Platform (API, Console)",
    Origin.CLAUDE_AI: "claude.ai (Enterprise)",
}
_TRIGGERS: Mapping[Trigger, str] = {
    Trigger.CONNECT: "First backfill",
    Trigger.DAILY: "Daily sync",
    Trigger.FORCE: "Force sync",
    Trigger.REREAD: "Catch-up",
}
_FAMILIES: Mapping[str, str] = {"classic": "Admin API", "analytics": "Analytics API"}
_CAPABILITIES: Mapping[str, str] = {
    "organization": "Name of the organisation",
    "cost_report": "Daily cost by workspace and model",
    "usage_report": "Daily tokens by key, person and model",
    "claude_code": "Claude Code activity",
    "workspaces": "Names of workspaces",
    "api_keys": "Names of API keys",
    "users": "Names of people",
    "members": "Names of people",
    "analytics_cost": "Cost by person, key and tier (analytics)",
    "analytics_cost_serving": "Cost by product, geography and speed (analytics)",
    "analytics_usage": "Tokens by person, key and tier (analytics)",
    "analytics_usage_serving": "Tokens by product, geography and speed (analytics)",
    "allocated": "The bill, shared among keys and people",
    "enterprise_cost": "Cost by person and product",
    "enterprise_cost_speed": "Cost by product and speed",
    "enterprise_usage": "Tokens by person and product",
    "enterprise_usage_speed": "Tokens by product and speed",
    "enterprise_cost_report": "Total cost (older report)",
    "enterprise_cost_by_product": "Cost by product (older report)",
    "enterprise_user_cost_report": "Cost by person (older report)",
    "enterprise_usage_report": "Tokens by product (older report)",
    "enterprise_user_usage_report": "Tokens by person (older report)",
}


# Why days are missing, and what would fill them.
_REASONS: Mapping[Reason, tuple[str, str]] = {
    Reason.NOT_READ: (
        "not read yet",
        "A connected organisation's days arrive by themselves, newest first; Force sync reads them now.",
    ),
    Reason.OUTSIDE_PLAN: ("before the history of the plan", "A plan with a longer history reads them."),
    Reason.BEFORE_API: ("before the first day that Anthropic's API reports", "No key can read them."),
    Reason.REFUSED: (
        "refused by Anthropic",
        "Replace the key by one that may read the report: choose Rotate key at the connection.",
    ),
    Reason.DISCONNECTED: ("after disconnecting", "Connect the organisation again to read them."),
    Reason.FAILED: (
        "failed to be read",
        "They are tried again by themselves; the connection's page says what went wrong.",
    ),
}


def reason_words(reason: Reason) -> str:
    """Say why days are missing."""
    return _REASONS[reason][0]


def reason_remedy(reason: Reason) -> str:
    """Say what would fill them."""
    return _REASONS[reason][1]


def origin_words(origin: str) -> str:
    """Say where the spend comes from; an origin this version does not know is shown as it is."""
    return _ORIGINS.get(origin, origin)


def family_words(family: str) -> str:
    """Say which of Anthropic's APIs a family is; one this version does not know is shown as it is."""
    return _FAMILIES.get(family, family)


def trigger_words(trigger: str) -> str:
    """Say why a run exists."""
    return _TRIGGERS[Trigger(trigger)]


def capability_words(name: str) -> str:
    """Say what a capability of the probe lets us read; an unknown one is shown as it is."""
    return _CAPABILITIES.get(name, name)
