"""How dimensions and their values are called for people; names come from the selectors, never from here."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from costs.named import Names as Named
from costs.named import make_distinct, names_of, workspace_names, workspaces_of_keys
from costs.records import DOLLAR_SHARE, TOKEN_SHARE, UNATTRIBUTED, Origin
from costs.selectors import Key
from costs.values import API_KEYS, no_workspace
from dashboard.enum_labels import origin_words
from integrations.models import Connection

# In the order in which people look for them; a dimension that is not here cannot be grouped by.
DIMENSIONS: Mapping[str, str] = {
    "model": "Model",
    "workspace_id": "Workspace",
    "api_key_id": "API key",
    "actor_id": "Person",
    "product": "Product",
    "token_type": "Token type",
    "cost_type": "Cost type",
    "connection": "Connection",
    "cost_center": "Cost centre",
    "origin": "Origin",
    "service_tier": "Service tier",
    "context_window": "Context window",
    "inference_geo": "Inference geography",
    "speed": "Speed",
    "description": "Description",
    "actor_type": "Kind of actor",
    "attribution": "How it was attributed",
    "source": "Report",
}
# What the absence of a value means: it is a value of its own, never "unknown".
_NULLS: Mapping[str, str] = {
    "model": "No model (web search, tools)",
    "workspace_id": "Default workspace",
    "api_key_id": "No API key",
    "actor_id": "No person",
    "product": "No product",
    "cost_center": "No cost centre",
    "token_type": "Not tokens",
    "attribution": "As Anthropic stated it",
}
_ATTRIBUTIONS: Mapping[str, str] = {
    TOKEN_SHARE: "Shared out by tokens used",
    DOLLAR_SHARE: "Shared out by cost per key and person",
    UNATTRIBUTED: "Could not be attributed",
}
# Values that stand for several: rows whose report states no workspace, and whatever only a key stands for.
_MADE: Mapping[str, str] = {
    no_workspace(Origin.CLAUDE_AI): "claude.ai (no workspace)",
    no_workspace(Origin.CLAUDE_PLATFORM): "Workspace not reported",
    API_KEYS: "API keys (not a person)",
}
_TOKEN_TYPES: Mapping[str, str] = {
    "uncached_input_tokens": "Input, not cached",
    "output_tokens": "Output",
    "cache_read_input_tokens": "Cache read",
    "cache_creation.ephemeral_5m_input_tokens": "Cache write, 5 minutes",
    "cache_creation.ephemeral_1h_input_tokens": "Cache write, 1 hour",
}
# Where to look next inside a group: what usually explains it first.
_NEXT: Mapping[str, Sequence[str]] = {
    "workspace_id": ("model", "api_key_id"),
    "api_key_id": ("model", "token_type"),
    "actor_id": ("model", "product"),
    "product": ("model", "actor_id"),
    "connection": ("workspace_id", "model"),
    "cost_center": ("workspace_id", "model"),
    "origin": ("connection", "model"),
    "model": ("workspace_id", "token_type"),
}
_NEXT_OTHERWISE = ("model", "workspace_id")


def dimension(name: str) -> str:
    """Say what a dimension is called."""
    return DIMENSIONS.get(name, name.replace("_", " ").capitalize())


def null_label(name: str) -> str:
    """Say what having no value means."""
    return _NULLS.get(name, f"No {dimension(name).lower()}")


def inline(name: str) -> str:
    """Say what a dimension is called inside of a sentence."""
    label = dimension(name)
    return label if label[:2].isupper() else label[0].lower() + label[1:]


def next_dimension(name: str, taken: Sequence[str]) -> str | None:
    """Return by what a group of a dimension is best split next; None when everything is taken already."""
    choices = (*_NEXT.get(name, ()), *_NEXT_OTHERWISE, "token_type", "cost_type")
    return next((each for each in choices if each != name and each not in taken), None)


def _spaced(value: str) -> str:
    return value.replace("_", " ").capitalize()


_WORDS: Mapping[str, Callable[[str], str]] = {
    "origin": origin_words,
    "token_type": lambda value: _TOKEN_TYPES.get(value, _spaced(value)),
    "cost_type": _spaced,
    "service_tier": _spaced,
    "actor_type": _spaced,
    "source": _spaced,
    "attribution": lambda value: _ATTRIBUTIONS.get(value, _spaced(value)),
    "speed": _spaced,
}


@dataclass(frozen=True, slots=True)
class Names:
    """What ids of an account are called now: dimension → id → name."""

    known: Mapping[str, Mapping[str | None, str]]

    def label(self, dimension_name: str, value: str | None) -> str:
        """Say what a value is called; an id without a name is shown as it is, never as unknown."""
        name = self.known.get(dimension_name, {}).get(value) or _MADE.get(value or "")
        if name:
            return name
        if value is None or (value == "" and dimension_name == "cost_center"):
            return null_label(dimension_name)
        return _WORDS.get(dimension_name, str)(value)


def names(account_id: UUID, dimensions: Sequence[str]) -> Names:
    """Read the names that values of the given dimensions need; no query where they need none."""
    known: dict[str, Mapping[str | None, str]] = {}
    if "workspace_id" in dimensions:
        known["workspace_id"] = _workspaces(account_id)
    keys = _keys(account_id) if {"api_key_id", "actor_id"} & {*dimensions} else {}
    if "api_key_id" in dimensions:
        known["api_key_id"] = keys
    if "actor_id" in dimensions:
        # Whatever is not done by a person is done by a key or a service account, under its own id.
        acting = {key: f"{name} (API key)" for key, name in keys.items()}
        people = _by_id(names_of(account_id, "person").current)
        known["actor_id"] = {**acting, **make_distinct(people)}
    if "connection" in dimensions:
        known["connection"] = _connections(account_id)
    return Names(known)


def organisations(account_id: UUID) -> Mapping[str, str]:
    """Return the name of each connection's organisation, by the connection's id."""
    rows = Connection.objects.filter(account_id=account_id).values_list("pk", "organization_name")
    return {str(pk): name for pk, name in rows}


def workspaces_by_connection(account_id: UUID) -> Mapping[Key, str]:
    """Name workspaces by (connection, id), for a place that says whose they are: told apart inside each connection."""
    found = workspace_names(account_id)
    named: defaultdict[str, dict[Key, str]] = defaultdict(dict)
    for (connection, workspace), name in found.current.items():
        if workspace not in found.defaults:
            named[connection][connection, workspace] = name
    worded: dict[Key, str] = {}
    for own in named.values():
        worded |= make_distinct(own, {key: _marks(found).get(key[1], "") for key in own})
    return worded


def _marks(found: Named) -> Mapping[str | None, str]:
    return {**dict.fromkeys(found.archived, "archived"), None: "default"}


def _connections(account_id: UUID) -> Mapping[str | None, str]:
    """Name connections by their labels; one that was disconnected may have the label of a live one."""
    rows = Connection.objects.filter(account_id=account_id).values_list("pk", "label", "disconnected_at")
    labels: dict[str | None, str] = {str(pk): label for pk, label, _ in rows}
    gone: dict[str | None, str] = {str(pk): "disconnected" for pk, _, at in rows if at is not None}
    return make_distinct(labels, gone)


def _by_id(current: Mapping[tuple[str, str | None], str]) -> dict[str | None, str]:
    return {resource_id: name for (_, resource_id), name in current.items()}


def _keys(account_id: UUID) -> dict[str | None, str]:
    current = _by_id(names_of(account_id, "api_key").current)
    # Where no two have one name, nobody has to know where they belong.
    if len({*current.values()}) == len(current):
        return current
    workspaces = _workspaces(account_id)
    places: dict[str | None, str] = {
        key: workspaces.get(workspace) or workspace or null_label("workspace_id")
        for key, workspace in workspaces_of_keys(account_id).items()
    }
    return make_distinct(current, places)


def _workspaces(account_id: UUID) -> dict[str | None, str]:
    """Name workspaces by id; those of one name are told apart by organisation, and by being archived."""
    found = workspace_names(account_id)
    named: dict[str | None, str] = {}
    defaults: dict[str | None, str] = {}
    owners: dict[str | None, str] = {}
    users: defaultdict[str, set[str]] = defaultdict(set)
    for (connection, workspace), name in found.current.items():
        if workspace is None or workspace in found.defaults:
            defaults[workspace] = name
        else:
            named[workspace], owners[workspace] = name, connection
            users[name].add(connection)
    # The default workspaces of several organisations are one group here, with a name of their own if they differ.
    if defaults:
        of_all = {name for (_, workspace), name in found.current.items() if workspace is None}
        named[None] = of_all.pop() if len(of_all) == 1 else null_label("workspace_id")
    # The organisation is said only of a name that several of them use.
    shared = [key for key, name in named.items() if len(users[name]) > 1 and key is not None]
    owned_by = organisations(account_id) if shared else {}
    of_organisation: dict[str | None, str] = {key: owned_by.get(owners[key], "") for key in shared}
    return {**defaults, **make_distinct(named, of_organisation, _marks(found))}
