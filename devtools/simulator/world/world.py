"""The one place that knows what is true now: organisations, keys, and every day's rows with all edits applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from devtools.simulator.keys import ADMIN, ENTERPRISE_KINDS, KeyShape, key_text, read_key

from .arrival import CLOSED, NOT_YET, Arrival
from .charges import Charge, divide
from .costs import CostRow, cost_rows
from .enterprise import enterprise_rows, enterprise_usage_slices
from .organisations import ENTERPRISE_SUFFIX, Directory, make_workspace
from .roster import Roster
from .traffic import Channel, DayTraffic, day_traffic, list_channels
from .usage_slices import ToolUse, UsageSlice, console_usage_slices, tool_usage_slices

if TYPE_CHECKING:
    from datetime import datetime

    from devtools.simulator.clock import Clock

    from .edits import Edit
    from .organisations import Organisation, Workspace

# A large organisation's day is a few hundred rows, so this bounds the cache to some tens of megabytes.
_CACHED_DAYS = 800
# A usage_slice is heavier than a row, and usage is asked for less often than cost.
_CACHED_USAGE_SLICE_DAYS = 200
_CACHED_CHARGE_DAYS = 62

_Kept = TypeVar("_Kept")
# The changes to a day in their order, each with the day from which it can be seen (None: at once).
_Edits: TypeAlias = "dict[tuple[int, date], tuple[tuple[Edit, date | None], ...]]"


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
        self._edits: _Edits = {}
        self._planted: _Edits = {}
        self._changes: dict[int, int] = {}
        self._serials: dict[tuple[str, str], int] = {}
        self._revoked: set[KeyShape] = set()
        self._closed_days: dict[tuple[int, date], tuple[CostRow, ...]] = {}
        self._channels: dict[int, tuple[Channel, ...]] = {}
        self.roster = Roster()
        self._usage_slices: dict[tuple[int, date], tuple[UsageSlice, ...]] = {}
        self._charges: dict[tuple[int, date], tuple[tuple[CostRow, ...], tuple[Charge, ...]]] = {}

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
            or shape.slug.endswith(ENTERPRISE_SUFFIX)
        ):
            return None
        suffix = ENTERPRISE_SUFFIX if shape.kind in ENTERPRISE_KINDS else ""
        organisation = self.directory.find(f"{shape.slug}{suffix}")
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
        arrival = self.arrival(organisation, day)
        rows: tuple[CostRow, ...] = ()
        if arrival.is_closed:
            rows = self._closed_rows(organisation, day)
        elif arrival.hours:
            rows = self._priced(organisation, day)
        return self._edited(self._edits, rows, (organisation, day))

    def charges(self, organisation: Organisation, day: date) -> tuple[Charge, ...]:
        """Return the day's amounts with everything known about them, as the analytics reports see them.

        They add up to `rows`, but for a difference planted between the two families of reports.
        """
        rows = self._edited(self._planted, self.rows(organisation, day), (organisation, day))
        kept = self._charges.get((organisation.index, day))
        # Edited rows are made anew each time, so only a closed day without edits is found here.
        if kept is not None and kept[0] is rows:
            return kept[1]
        charges = self._divide(organisation, day, rows)
        self._keep(self._charges, (organisation, day), (rows, charges), _CACHED_CHARGE_DAYS)
        return charges

    def _divide(self, organisation: Organisation, day: date, rows: tuple[CostRow, ...]) -> tuple[Charge, ...]:
        tools: tuple[ToolUse, ...] = ()
        if not organisation.is_enterprise and day <= self.today():
            traffic = self._whole_day(organisation, day)
            tools = tool_usage_slices(organisation, traffic, day, self.roster.sources(organisation))
        usage_slices = self.usage_slices(organisation, day)
        return divide(organisation, rows, (usage_slices, tools), self.arrival(organisation, day))

    def _edited(
        self, edits: _Edits, rows: tuple[CostRow, ...], place: tuple[Organisation, date]
    ) -> tuple[CostRow, ...]:
        organisation, day = place
        for edit, from_day in edits.get((organisation.index, day), ()):
            if from_day is None or from_day <= self.today():
                rows = edit.apply(rows)
        return rows

    def _priced(self, organisation: Organisation, day: date) -> tuple[CostRow, ...]:
        if organisation.is_enterprise:
            return enterprise_rows(self.usage_slices(organisation, day), self.arrival(organisation, day))
        return cost_rows(self.traffic(organisation, day))

    def traffic(self, organisation: Organisation, day: date) -> DayTraffic:
        """Return what has been used on that day as of now, untouched by edits, which concern money only."""
        now = self.clock.now()
        if day > now.date():
            return DayTraffic()
        traffic = self._whole_day(organisation, day)
        return traffic.arrived_by(now.hour) if day == now.date() else traffic

    def refreshed_at(self, organisation: Organisation) -> datetime:
        """Return the moment of the newest export for analytics: hourly, or every four hours for Enterprise."""
        now = self.clock.now().replace(minute=0, second=0, microsecond=0)
        return now.replace(hour=now.hour - now.hour % 4) if organisation.is_enterprise else now

    def has_data(self, organisation: Organisation, first: datetime) -> bool:
        """Say whether any export covers a range that begins at `first`."""
        return (
            first < self.refreshed_at(organisation)
            if organisation.is_enterprise
            else first <= self.clock.now()
        )

    def snapshot(self, organisation: Organisation) -> str:
        """Return a text that changes with every refresh of the data, and with every change ordered to it."""
        return f"{self.refreshed_at(organisation).isoformat()} {self._changes.get(organisation.index, 0)}"

    def arrival(self, organisation: Organisation, day: date) -> Arrival:
        """Return how much of that day can be seen as of now; an Enterprise day only as of the newest export."""
        now = self.clock.now()
        if organisation.is_enterprise:
            now = self.refreshed_at(organisation)
        if day != now.date():
            return CLOSED if day < now.date() else NOT_YET
        return (
            Arrival(now.hour) if organisation.is_enterprise else Arrival(now.hour + 1, minutes=now.minute + 1)
        )

    def usage_slices(self, organisation: Organisation, day: date) -> tuple[UsageSlice, ...]:
        """Return who used what on that whole day; `arrival` says how much of it can be seen yet."""
        if day > self.today():
            return ()
        usage_slices = self._usage_slices.get((organisation.index, day))
        if usage_slices is None:
            usage_slices = self._make_usage_slices(organisation, day)
            self._keep(self._usage_slices, (organisation, day), usage_slices, _CACHED_USAGE_SLICE_DAYS)
        return usage_slices

    def _make_usage_slices(self, organisation: Organisation, day: date) -> tuple[UsageSlice, ...]:
        if organisation.is_enterprise:
            return enterprise_usage_slices(organisation, self.roster.people(organisation).users, day)
        sources = self.roster.sources(organisation)
        return console_usage_slices(organisation, self._whole_day(organisation, day), day, sources)

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
            rows = self._priced(organisation, day)
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

    def edit_day(
        self, organisation: Organisation, day: date, edit: Edit, *, from_day: date | None = None
    ) -> None:
        """Append one change to a day, to be seen from `from_day` on or at once."""
        self._append(self._edits, (organisation, day), (edit, from_day))

    def plant_difference(self, organisation: Organisation, day: date, edit: Edit) -> None:
        """Change a day in the analytics reports only, so that the two families of reports differ."""
        self._append(self._planted, (organisation, day), (edit, None))

    def restore_day(self, organisation: Organisation, day: date) -> None:
        """Forget every change to a day."""
        with self._lock:
            for edits in (self._edits, self._planted):
                edits.pop((organisation.index, day), None)
            self._count_change(organisation)

    def _append(
        self, edits: _Edits, place: tuple[Organisation, date], change: tuple[Edit, date | None]
    ) -> None:
        organisation, day = place
        with self._lock:
            known = edits.get((organisation.index, day), ())
            edits[organisation.index, day] = (*known, change)
            self._count_change(organisation)

    def _count_change(self, organisation: Organisation) -> None:
        self._changes[organisation.index] = self._changes.get(organisation.index, 0) + 1

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
        for places in (self._closed_days, self._usage_slices, self._charges):
            for place in [place for place in places if place[0] == index]:
                places.pop(place)
