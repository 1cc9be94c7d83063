"""How dimensions and their values are called for people; names come from the selectors, never from here."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from costs.named import names_of, workspace_names, workspaces_of_keys
from costs.records import DOLLAR_SHARE, TOKEN_SHARE, UNATTRIBUTED
from dashboard.wording import origin_words
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
_TAIL = 4
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
        name = self.known.get(dimension_name, {}).get(value)
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
        known["actor_id"] = {**acting, **_apart(names_of(account_id, "person").current, {})}
    if "connection" in dimensions:
        rows = Connection.objects.filter(account_id=account_id).values_list("pk", "label")
        known["connection"] = {str(pk): label for pk, label in rows}
    return Names(known)


def _keys(account_id: UUID) -> dict[str | None, str]:
    current = names_of(account_id, "api_key").current
    # Where no two have one name, nobody has to know where they belong.
    if len(set(current.values())) == len(current):
        return _apart(current, {})
    workspaces = _workspaces(account_id)
    places = {
        key: workspaces.get(workspace) or workspace or null_label("workspace_id")
        for key, workspace in workspaces_of_keys(account_id).items()
    }
    return _apart(current, places)


def _apart(current: Mapping[tuple[str, str | None], str], places: Mapping[str, str]) -> dict[str | None, str]:
    """Name resources by id; where several have one name, their place tells them apart, or else the end of their id."""
    ids: defaultdict[str, set[str | None]] = defaultdict(set)
    for (_, resource_id), name in current.items():
        ids[name].add(resource_id)
    named: dict[str | None, str] = {}
    for (_, resource_id), name in current.items():
        others = [places.get(each or "") for each in ids[name]]
        place = places.get(resource_id or "")
        is_told = len(others) == 1 or (place and others.count(place) == 1)
        parts = [
            name,
            place if len(others) > 1 else None,
            None if is_told else f"…{(resource_id or '')[-_TAIL:]}",
        ]
        named[resource_id] = " · ".join(part for part in parts if part)
    return named


def _workspaces(account_id: UUID) -> dict[str | None, str]:
    """Name workspaces by id; where two have the same name, the organisation tells them apart."""
    found = workspace_names(account_id).current
    times = Counter(name for (_, workspace), name in found.items() if workspace is not None)
    organisations: Mapping[str, str] = {}
    if any(count > 1 for count in times.values()):
        rows = Connection.objects.filter(account_id=account_id).values_list("pk", "organization_name")
        organisations = {str(pk): name for pk, name in rows}
    known: dict[str | None, str] = {}
    for (connection, workspace), name in found.items():
        if workspace is not None:
            organisation = organisations.get(connection, "") if times[name] > 1 else ""
            known[workspace] = f"{name} ({organisation})" if organisation else name
    # The default workspaces of several organisations are one group here, with a name of their own if they differ.
    defaults = {name for (_, workspace), name in found.items() if workspace is None}
    if len(defaults) == 1:
        known[None] = defaults.pop()
    return known
