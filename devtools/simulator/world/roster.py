"""The people of every organisation as they stand now: what nature made, with the changes ordered by tests on top."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from .people import People, make_people
from .sources import Source, list_sources

if TYPE_CHECKING:
    from .organisations import Organisation
    from .people import ApiKey, User


class Roster:
    """Reads take no lock: what is read is immutable and swapped whole."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users: dict[int, dict[str, User]] = {}
        self._keys: dict[int, dict[str, ApiKey]] = {}
        self._made: dict[int, tuple[Organisation, People, dict[str, tuple[Source, ...]]]] = {}

    def people(self, organisation: Organisation) -> People:
        """Return everybody in the organisation, those who left included."""
        return self._read(organisation)[1]

    def sources(self, organisation: Organisation) -> dict[str, tuple[Source, ...]]:
        """Return the sources of traffic of each workspace."""
        return self._read(organisation)[2]

    def put_user(self, organisation: Organisation, user: User) -> None:
        """Replace a member; days that have closed keep their usage."""
        with self._lock:
            self._users.setdefault(organisation.index, {})[user.id] = user
            self._made.pop(organisation.index, None)

    def put_key(self, organisation: Organisation, key: ApiKey) -> None:
        """Replace an API key, found by its id."""
        with self._lock:
            self._keys.setdefault(organisation.index, {})[key.id] = key
            self._made.pop(organisation.index, None)

    def _read(self, organisation: Organisation) -> tuple[Organisation, People, dict[str, tuple[Source, ...]]]:
        made = self._made.get(organisation.index)
        if made is None or made[0] is not organisation:
            with self._lock:
                people = self._with_changes(organisation, make_people(organisation))
                made = (organisation, people, list_sources(organisation, people))
                self._made[organisation.index] = made
        return made

    def _with_changes(self, organisation: Organisation, people: People) -> People:
        users, keys = self._users.get(organisation.index, {}), self._keys.get(organisation.index, {})
        return replace(
            people,
            users=tuple(users.get(user.id, user) for user in people.users),
            keys=tuple(keys.get(key.id, key) for key in people.keys),
        )
