"""The words for values that the engine and the provider write in short: origins, triggers, capabilities; pure."""

from collections.abc import Mapping

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
_CAPABILITIES: Mapping[str, str] = {
    "organization": "Name of the organisation",
    "cost_report": "Daily cost by workspace and model",
}


def origin_words(origin: str) -> str:
    """Say where the spend comes from; an origin this version does not know is shown as it is."""
    return _ORIGINS.get(origin, origin)


def trigger_words(trigger: str) -> str:
    """Say why a run exists."""
    return _TRIGGERS[Trigger(trigger)]


def capability_words(name: str) -> str:
    """Say what a capability of the probe lets us read; an unknown one is shown as it is."""
    return _CAPABILITIES.get(name, name)
