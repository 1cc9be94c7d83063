"""Who the simulated organisations are: identity, size and workspaces, computed only when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from .draws import Draws, derive_key

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL, MEDIUM, LARGE, EMPTY = "small", "medium", "large", "empty"
ENTERPRISE_SUFFIX = ".enterprise"

# Demo organisations come first, whatever the seed: slug, name, size, first day with usage.
_NAMED = (
    ("acorn-studio", "Acorn Studio", SMALL, date(2025, 1, 13)),
    ("birch-logistics", "Birch Logistics GmbH", MEDIUM, date(2024, 11, 4)),
    ("cedar-group", "Cedar Group plc", LARGE, date(2024, 6, 3)),
    ("dormant-labs", "Dormant Labs", EMPTY, date(2025, 6, 2)),
)
_FIRST_WORDS = (
    "Alder",
    "Beacon",
    "Copper",
    "Drift",
    "Ember",
    "Fjord",
    "Granite",
    "Harbour",
    "Indigo",
    "Kestrel",
    "Larch",
    "Meadow",
)
_LAST_WORDS = (
    "Analytics",
    "Bank",
    "Care",
    "Foods",
    "Games",
    "Health",
    "Insurance",
    "Mobility",
    "Retail",
    "Robotics",
    "Software",
    "Travel",
)
_TEAMS = ("Search team", "Support bot", "Claude Code", "Data platform", "Legal review", "Marketing", "Fraud desk", "Mobile app",
          "Research", "Evaluation", "Translation")  # fmt: skip
_WORKSPACES = {SMALL: 2, MEDIUM: 5, LARGE: 12, EMPTY: 2}
_ARCHIVED = {SMALL: 0, MEDIUM: 1, LARGE: 2, EMPTY: 0}


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace; the default one has a real id that the classic reports show as null."""

    id: str
    name: str
    created_on: date
    archived_on: date | None
    is_default: bool
    display_color: str
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def report_id(self) -> str | None:
        """The id as the classic reports write it."""
        return None if self.is_default else self.id

    def is_in_use(self, day: date) -> bool:
        """Say whether traffic can fall on that day; the day of archiving still counts."""
        return self.created_on <= day and (self.archived_on is None or day <= self.archived_on)


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation as it stands now; `key` seeds every number drawn for it."""

    index: int
    slug: str
    name: str
    id: str
    size: str
    first_day: date
    key: bytes
    workspaces: tuple[Workspace, ...]
    is_enterprise: bool = False

    @property
    def key_slug(self) -> str:
        """The slug that its keys carry: a Claude Enterprise organisation shares it with its Console sibling."""
        return self.slug.removesuffix(ENTERPRISE_SUFFIX)

    def with_workspace(self, workspace: Workspace) -> Organisation:
        """Return the organisation with one workspace replaced, found by its id, or added."""
        known = {existing.id: existing for existing in self.workspaces} | {workspace.id: workspace}
        return replace(self, workspaces=tuple(known.values()))


class Directory:
    """All organisations of one seed: `count` of them, the named ones first, each made when first asked for."""

    def __init__(self, seed: int, count: int) -> None:
        self.count = count
        self._seed = str(seed)
        self._made: dict[int, Organisation] = {}
        self._index_by_id: dict[str, int] = {}

    def __iter__(self) -> Iterator[Organisation]:
        return (self.at(index) for index in range(self.count))

    def at(self, index: int) -> Organisation:
        """Return organisation number `index`; the Claude Enterprise sibling of number n is number -1 - n."""
        made = self._made.get(index)
        return made if made is not None else self._made.setdefault(index, self._make(index))

    def find(self, slug_or_id: str) -> Organisation | None:
        """Return the organisation of that slug or UUID, None when there is none."""
        if slug_or_id.endswith(ENTERPRISE_SUFFIX):
            sibling = self.find(slug_or_id.removesuffix(ENTERPRISE_SUFFIX))
            return self.at(-1 - sibling.index) if sibling is not None and sibling.index >= 0 else None
        index = next((i for i, named in enumerate(_NAMED) if named[0] == slug_or_id), None)
        if index is None and slug_or_id.startswith("org-") and slug_or_id[4:].isdecimal():
            index = int(slug_or_id[4:])
            index = index if slug_or_id == _generic_slug(index) and index >= len(_NAMED) else None
        if index is None:
            index = self._ids().get(slug_or_id)
        return self.at(index) if index is not None and index < self.count else None

    def replace(self, organisation: Organisation) -> None:
        """Keep a changed organisation in place of the one with its index."""
        self._made[organisation.index] = organisation

    def _ids(self) -> dict[str, int]:
        if not self._index_by_id:
            self._index_by_id = {self._identify(index)[1]: index for index in range(-self.count, self.count)}
        return self._index_by_id

    def _slug(self, index: int) -> str:
        if index < 0:
            return f"{self._slug(-1 - index)}{ENTERPRISE_SUFFIX}"
        return _NAMED[index][0] if index < len(_NAMED) else _generic_slug(index)

    def _identify(self, index: int) -> tuple[bytes, str]:
        key = derive_key(self._seed, self._slug(index))
        return key, str(UUID(bytes=derive_key("organisation id", key.hex())[:16], version=4))

    def _make_enterprise(self, index: int) -> Organisation:
        sibling = self.at(-1 - index)
        key, identifier = self._identify(index)
        return replace(
            sibling,
            index=index,
            slug=self._slug(index),
            name=f"{sibling.name} (Claude Enterprise)",
            id=identifier,
            key=key,
            workspaces=(),
            is_enterprise=True,
        )

    def _make(self, index: int) -> Organisation:
        if index < 0:
            return self._make_enterprise(index)
        key, identifier = self._identify(index)
        draws = Draws(key, "organisation")
        if index < len(_NAMED):
            slug, name, size, first_day = _NAMED[index]
        else:
            slug = _generic_slug(index)
            name = f"{_FIRST_WORDS[draws.between(0, 0, 11)]} {_LAST_WORDS[draws.between(1, 0, 11)]} {index}"
            dice = draws.between(2, 1, 10)
            size = SMALL if dice <= 6 else MEDIUM if dice <= 9 else LARGE
            first_day = date(2024, 6, 1) + timedelta(days=draws.between(3, 0, 600))
        return Organisation(
            index, slug, name, identifier, size, first_day, key, _make_workspaces(key, size, first_day)
        )


def _generic_slug(index: int) -> str:
    return f"org-{index:05d}"


def _make_workspaces(key: bytes, size: str, first_day: date) -> tuple[Workspace, ...]:
    made = [make_workspace(key, 0, "Default", first_day - timedelta(days=30))]
    count = _WORKSPACES[size]
    for number in range(1, count):
        draws = Draws(key, "workspace", str(number))
        created_on = first_day + timedelta(days=draws.between(14, 0, 40) if number > 1 else 0)
        workspace = make_workspace(key, number, _TEAMS[number - 1], created_on)
        if number >= count - _ARCHIVED[size]:
            workspace = replace(
                workspace, archived_on=date(2026, 5, 1) + timedelta(days=draws.between(13, 0, 150))
            )
        made.append(workspace)
    return tuple(made)


def make_workspace(key: bytes, number: int, name: str, created_on: date) -> Workspace:
    """Return workspace `number` of the organisation with that key; number 0 is the default workspace."""
    draws = Draws(key, "workspace", str(number))
    tags = (("cost_center", str(4000 + draws.between(15, 0, 999))),) if number % 3 == 1 else ()
    identifier = f"wrkspc_01{draws.identifier()}"
    return Workspace(
        identifier, name, created_on, None, number == 0, f"#{draws.number(12) & 0xFFFFFF:06X}", tags
    )
