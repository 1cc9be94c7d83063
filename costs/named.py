"""What ids are called, now or on a day, and how those of one name are told apart; reads only."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from costs.models import Resource, ResourceName
from foundation.periods import day_start

# Which dimension is named by which kind of resource.
KINDS: Mapping[str, str] = {"workspace_id": "workspace", "api_key_id": "api_key", "actor_id": "person"}
# Whatever is not done by a person is done by a key or a service account, under its own id.
_ALSO: Mapping[str, str] = {"actor_id": "api_key"}
_DAY = dt.timedelta(days=1)
_TAIL = 4
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Version:
    name: str
    valid_from: dt.datetime
    valid_to: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Names:
    """
    The names of one kind of resource by (connection, id), oldest first; None is the default workspace.

    Shape:   `archived` and `defaults` are ids; what costs the latter have is found under None
    """

    versions: Mapping[tuple[str, str | None], Sequence[_Version]]
    of_any: Mapping[str | None, Sequence[_Version]]
    archived: Collection[str] = frozenset()
    defaults: Collection[str] = frozenset()

    def find(
        self, connection_id: str | None, resource_id: str | None, day: dt.date | None = None
    ) -> str | None:
        """
        Return the name now, or at the end of the day; of any connection when none is given.

        Before anybody asked for it, a resource is called what it was called first.
        """
        if connection_id is not None:
            found = self.versions.get((connection_id, resource_id))
        else:
            found = self.of_any.get(resource_id)
        return _at(found, day) if found else None

    @property
    def current(self) -> Mapping[tuple[str, str | None], str]:
        """The names of now by (connection, id)."""
        return {key: versions[-1].name for key, versions in self.versions.items()}


def _at(versions: Sequence[_Version], day: dt.date | None) -> str:
    if day is None:
        return versions[-1].name
    end = day_start(day) + _DAY
    known = [version for version in versions if version.valid_from < end]
    return (known[-1] if known else versions[0]).name


def names_of(account_id: UUID, *kinds: str) -> Names:
    """Return what the account's resources of some kinds are and were called; one query."""
    versions: dict[tuple[str, str | None], list[_Version]] = defaultdict(list)
    rows = (
        ResourceName.objects.filter(resource__connection__account_id=account_id, resource__kind__in=kinds)
        .order_by("valid_from", "id")
        .values_list(
            "resource__connection_id", "resource__resource_id", "resource__is_default", "resource__archived_at",
            "name", "valid_from", "valid_to",
        )
    )  # fmt: skip
    archived, defaults = set(), set()
    for connection_id, resource_id, is_default, archived_at, name, valid_from, valid_to in rows:
        version = _Version(name, valid_from, valid_to)
        if archived_at is not None:
            archived.add(resource_id)
        versions[str(connection_id), resource_id].append(version)
        if is_default:
            defaults.add(resource_id)
            versions[str(connection_id), None].append(version)
    of_any: dict[str | None, Sequence[_Version]] = {}
    for (_, key), found in versions.items():
        of_any.setdefault(key, found)
    return Names(versions, of_any, frozenset(archived), frozenset(defaults))


def workspaces_of_keys(account_id: UUID) -> Mapping[str, str | None]:
    """Return the workspace each API key belongs to, by the key's id; keys of no workspace have none or are left out."""
    rows = Resource.objects.filter(connection__account_id=account_id, kind="api_key")
    found: dict[str, str | None] = {}
    for key, attributes in rows.values_list("resource_id", "attributes"):
        # The newer list writes a scope, the older one the workspace itself.
        scope = attributes.get("scope") or attributes
        if isinstance(scope, Mapping) and "workspace_id" in scope:
            found[key] = scope["workspace_id"]
    return found


def workspace_names(account_id: UUID) -> Names:
    """Return what the account's workspaces are and were called."""
    return names_of(account_id, "workspace")


def names_for(account_id: UUID, dimensions: Sequence[str]) -> Mapping[str, Names]:
    """Return the names of those dimensions that have any; one query each."""
    wanted = {name: {KINDS[name], _ALSO.get(name, KINDS[name])} for name in dimensions if name in KINDS}
    return {name: names_of(account_id, *kinds) for name, kinds in wanted.items()}


def make_distinct(named: Mapping[K, str], *marks: Mapping[K, str]) -> dict[K, str]:
    """
    Word things so that no two read the same: by name, where several have one with the marks that tell them apart.

    Shape:   mark by mark, until a thing reads like no other; where all marks are not enough, the end of its id
    """
    worded = dict(named)
    for mark in marks:
        for key in _alike(worded):
            if mark.get(key):
                worded[key] = f"{worded[key]} · {mark[key]}"
    for length in (_TAIL, 2 * _TAIL, None):
        ends = {key: _end(key, length) for key in _alike(worded)}
        if len({(worded[key], end) for key, end in ends.items()}) == len(ends):
            break
    return {key: f"{text} · {ends[key]}" if ends.get(key) else text for key, text in worded.items()}


def _alike(worded: Mapping[K, str]) -> list[K]:
    times = Counter(worded.values())
    return [key for key, text in worded.items() if times[text] > 1]


def _end(key: object, length: int | None) -> str:
    # Of a pair the last part is the id; the others say whose it is.
    text = str((key[-1] if isinstance(key, tuple) else key) or "")
    return text if length is None or len(text) <= length else f"…{text[-length:]}"
