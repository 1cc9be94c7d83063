"""The one place that knows what is true now: organisations, keys, and every day's rows with all edits applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from integrations.simulator.keys import ADMIN, KeyShape, key_text, read_key

from .arrival import CLOSED, NOT_YET, Arrival
from .costs import CostRow, cost_rows
from .organisations import Directory, make_workspace
from .roster import Roster
from .strands import Strand, console_strands
from .traffic import Channel, DayTraffic, day_traffic, list_channels

if TYPE_CHECKING:
    from integrations.simulator.clock import Clock

    from .edits import Edit
    from .organisations import Organisation, Workspace

# A large organisation's day is a few hundred rows, so this bounds the cache to some tens of megabytes.
_CACHED_DAYS = 800
# A strand is heavier than a row, and usage is asked for less often than cost.
_CACHED_STRAND_DAYS = 200

_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that is valid now, with the organisation it belongs to."""

    organisation: Organisation
    kind: str
    scopes: tuple[str, ...]


class World:
    """Reads need no lock: organisations and tuples of edits are immutable and swapped whole; writers take the lock."""

    def __init__(self, seed: int, organisations: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.directory = Directory(seed, organisations)
        self._lock = Lock()
        self._edits: dict[tuple[int, date], tuple[Edit, ...]] = {}
        self._serials: dict[tuple[str, str], int] = {}
        self._revoked: set[KeyShape] = set()
        self._closed_days: dict[tuple[int, date], tuple[CostRow, ...]] = {}
        self._channels: dict[int, tuple[Channel, ...]] = {}
        self.roster = Roster()
        self._strands: dict[tuple[int, date], tuple[Strand, ...]] = {}

    def today(self) -> date:
        """Return the current UTC day by the simulated clock."""
        return self.clock.now().date()

    # Keys

    def find_credential(self, key: str) -> Credential | None:
        """Return whose key this is, None when it was never issued or has been revoked."""
        shape = read_key(key)
        if (
            shape is None
            or shape in self._revoked
            or not 1 <= shape.serial <= self._newest_serial(shape.slug, shape.kind)
        ):
            return None
        organisation = self.directory.find(shape.slug)
        return Credential(organisation, shape.kind, shape.scopes) if organisation is not None else None

    def current_key(self, slug: str, kind: str = ADMIN) -> str:
        """Return the newest key of that kind, revoked or not."""
        return key_text(slug, kind, self._newest_serial(slug, kind))

    def issue_key(self, slug: str, kind: str = ADMIN) -> str:
        """Return a new key; older ones stay valid until they are revoked."""
        with self._lock:
            self._serials[slug, kind] = self._newest_serial(slug, kind) + 1
        return self.current_key(slug, kind)

    def revoke_key(self, key: str) -> bool:
        """Make a key unknown from now on; False when it is no simulated key."""
        shape = read_key(key)
        if shape is not None:
            self._revoked.add(shape)
        return shape is not None

    def _newest_serial(self, slug: str, kind: str) -> int:
        return self._serials.get((slug, kind), 1)

    # Days

    def rows(self, organisation: Organisation, day: date) -> tuple[CostRow, ...]:
        """Return the day's billed rows as of now: final for closed days, provisional today, none for the future."""
        now = self.clock.now()
        if day > now.date():
            rows: tuple[CostRow, ...] = ()
        elif day == now.date():
            rows = cost_rows(self.traffic(organisation, day))
        else:
            rows = self._closed_rows(organisation, day)
        for edit in self._edits.get((organisation.index, day), ()):
            rows = edit.apply(rows)
        return rows

    def traffic(self, organisation: Organisation, day: date) -> DayTraffic:
        """Return what has been used on that day as of now, untouched by edits, which concern money only."""
        now = self.clock.now()
        if day > now.date():
            return DayTraffic()
        traffic = self._whole_day(organisation, day)
        return traffic.arrived_by(now.hour) if day == now.date() else traffic

    def arrival(self, organisation: Organisation, day: date) -> Arrival:  # noqa: ARG002 — Enterprise days will differ
        """Return how much of that day has arrived as of now."""
        now = self.clock.now()
        if day != now.date():
            return CLOSED if day < now.date() else NOT_YET
        return Arrival(now.hour + 1, minutes=now.minute + 1)

    def strands(self, organisation: Organisation, day: date) -> tuple[Strand, ...]:
        """Return who used what on that whole day; `arrival` says how much of it can be seen yet."""
        if day > self.today():
            return ()
        strands = self._strands.get((organisation.index, day))
        if strands is None:
            sources = self.roster.sources(organisation)
            strands = console_strands(organisation, self._whole_day(organisation, day), day, sources)
            self._keep(self._strands, (organisation, day), strands, _CACHED_STRAND_DAYS)
        return strands

    def _whole_day(self, organisation: Organisation, day: date) -> DayTraffic:
        channels = self._channels.get(organisation.index)
        if channels is None:
            channels = list_channels(organisation)
            with self._lock:
                if self.directory.at(organisation.index) is organisation:
                    self._channels[organisation.index] = channels
        return day_traffic(organisation, channels, day)

    def _closed_rows(self, organisation: Organisation, day: date) -> tuple[CostRow, ...]:
        rows = self._closed_days.get((organisation.index, day))
        if rows is None:
            rows = cost_rows(self._whole_day(organisation, day))
            self._keep(self._closed_days, (organisation, day), rows, _CACHED_DAYS)
        return rows

    def _keep(
        self, cache: dict[tuple[int, date], _Kept], place: tuple[Organisation, date], value: _Kept, size: int
    ) -> None:
        organisation, day = place
        with self._lock:
            while len(cache) >= size:
                del cache[next(iter(cache))]
            # An organisation that was changed meanwhile must not leave its old self in the cache.
            if day < self.today() and self.directory.at(organisation.index) is organisation:
                cache[organisation.index, day] = value

    # Changes

    def edit_day(self, organisation: Organisation, day: date, edit: Edit) -> None:
        """Append one change to a day."""
        with self._lock:
            place = (organisation.index, day)
            self._edits[place] = (*self._edits.get(place, ()), edit)

    def restore_day(self, organisation: Organisation, day: date) -> None:
        """Forget every change to a day."""
        with self._lock:
            self._edits.pop((organisation.index, day), None)

    def put_workspace(self, organisation: Organisation, workspace: Workspace) -> None:
        """Replace or add a workspace; past days keep their amounts unless its life span changed."""
        with self._lock:
            self.directory.replace(self.directory.at(organisation.index).with_workspace(workspace))
            self._forget(organisation.index)

    def add_workspace(self, organisation: Organisation, name: str) -> Workspace:
        """Create a workspace that has traffic from tomorrow on, so that no reported day changes."""
        number = len(organisation.workspaces)
        workspace = make_workspace(organisation.key, number, name, self.today() + timedelta(days=1))
        self.put_workspace(organisation, workspace)
        return workspace

    def rename_organisation(self, organisation: Organisation, name: str) -> None:
        """Give the organisation another name; its id, slug and keys stay."""
        with self._lock:
            self.directory.replace(replace(self.directory.at(organisation.index), name=name))

    def _forget(self, index: int) -> None:
        self._channels.pop(index, None)
        for cache in (self._closed_days, self._strands):
            for place in [place for place in cache if place[0] == index]:
                del cache[place]
