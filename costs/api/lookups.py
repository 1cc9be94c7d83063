"""The names and states that stand beside stored rows, found by plain values; reads only."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from costs import freshness, named, values
from costs.freshness import DayState
from costs.named import Names
from costs.sources import lacking
from foundation.periods import DayRange

_DAY = dt.timedelta(days=1)
_UNSTATED = frozenset(lacking("workspace_id"))


@dataclass(frozen=True, slots=True)
class Lookups:
    """What the ids of an account's rows are called; loaded once, for a page or for a whole file."""

    names: Mapping[str, Names]
    default_workspaces: frozenset[str]

    def workspace(
        self, connection_id: UUID, source: str, workspace_id: str | None
    ) -> tuple[str | None, str | None]:
        """
        Return id and name of a row's workspace.

        Shape:   both spellings of the default workspace have the id None; a report that states no workspace has
                 no name either, since its null says nothing
        """
        if workspace_id is None and source in _UNSTATED:
            return None, None
        name = self.names["workspace_id"].find(str(connection_id), workspace_id)
        return (None if workspace_id in self.default_workspaces else workspace_id), name

    def name(self, dimension: str, connection_id: UUID, resource_id: str | None) -> str | None:
        """Return the name of a row's key or person; None without an id."""
        if resource_id is None:
            return None
        return self.names[dimension].find(str(connection_id), resource_id)


def load(account_id: UUID) -> Lookups:
    """Return the names of the account's workspaces, keys and people; four queries."""
    return Lookups(
        named.names_for(account_id, list(named.KINDS)), frozenset(values.default_workspaces(account_id))
    )


class States:
    """
    How final the day of a row is, for rows that come in the order of their days.

    Only the days around the row just asked for are held, so that a range of years takes the room of a month.
    """

    _DAYS_HELD = 31

    def __init__(self, account_id: UUID) -> None:
        self._account_id = account_id
        self._held = DayRange(dt.date.min, dt.date.min)
        self._states: Mapping[tuple[UUID, str, dt.date], DayState] = {}

    def of(self, connection_id: UUID, source: str, day: dt.date) -> DayState:
        """Return the state of one report's day."""
        if day not in self._held:
            self._held = DayRange(day, day + self._DAYS_HELD * _DAY)
            self._states = freshness.day_states(self._account_id, self._held)
        return self._states.get((connection_id, source, day), DayState.MISSING)
