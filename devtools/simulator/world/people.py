"""Who works in an organisation and with which keys, drawn from its key; pure, knows no change ordered later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from .draws import Draws
from .organisations import EMPTY, LARGE, MEDIUM, SMALL

if TYPE_CHECKING:
    from .organisations import Organisation, Workspace

_FIRST = ("Ada", "Bela", "Cem", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "June", "Kai", "Lena", "Milo", "Nora", "Oskar",
          "Pia")  # fmt: skip
_LAST = ("Abel", "Brandt", "Castro", "Dietz", "Evans", "Farkas", "Gruber", "Hansen", "Iyer", "Jansen", "Kovac", "Lind",
         "Moreau", "Novak", "Okafor", "Petrov")  # fmt: skip
_CONSOLE_ROLES = ("admin", "developer", "developer", "claude_code_user", "billing", "user")
_ENTERPRISE_ROLES = ("primary_owner", "user", "user", "owner", "managed", "membership_admin")
_CONSOLE_USERS = {SMALL: 4, MEDIUM: 14, LARGE: 40, EMPTY: 2}
_ENTERPRISE_USERS = {SMALL: 6, MEDIUM: 30, LARGE: 130, EMPTY: 2}
_REMOVED = {SMALL: 0, MEDIUM: 1, LARGE: 3, EMPTY: 0}
_KEYS = {SMALL: (2, 2), MEDIUM: (2, 4), LARGE: (3, 5), EMPTY: (1, 1)}
_PERSONAL_KEYS = {MEDIUM: 4, LARGE: 9}
_KEY_NAMES = ("production", "ci-bot", "batch-jobs", "staging", "notebook")
_GROUPS = {SMALL: 2, MEDIUM: 4, LARGE: 8, EMPTY: 1}
# The Claude Code workspace is the fourth of organisations that have as many by nature.
CLAUDE_CODE_PLACE = 3
KEY_STATUSES = ("active", "inactive", "archived", "expired")
FOR_EVER = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class User:
    """One member; uses nothing after `removed_on`, and is deleted from the day after it or at once when ordered."""

    id: str
    email: str
    name: str
    role: str
    added_on: date
    removed_on: date | None = None
    is_removed: bool = False
    groups: tuple[str, ...] = ()

    def is_deleted(self, today: date) -> bool:
        """Say whether the member has left the lists."""
        return self.is_removed or (self.removed_on is not None and self.removed_on < today)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as the lists show it; `workspace_id` is None for a key of the whole organisation.

    `last_day` is the last day on which it was used, whatever its status is now.
    """

    id: str
    name: str
    workspace_id: str | None
    created_on: date
    hint: str
    created_by: str | None
    status: str = "active"
    expires_on: date | None = None
    last_day: date = FOR_EVER
    # The member or service account that acts through the key; traffic is then theirs, not the key's.
    principal: str | None = None
    product: str = "messages_api"

    def status_on(self, today: date) -> str:
        """Return the status as of a day; a key expires by itself."""
        has_expired = self.expires_on is not None and self.expires_on <= today
        return "expired" if self.status == "active" and has_expired else self.status


@dataclass(frozen=True, slots=True)
class People:
    """Everybody and everything that can cause traffic in one organisation, in the order of creation."""

    users: tuple[User, ...]
    keys: tuple[ApiKey, ...]
    service_accounts: tuple[str, ...]

    def find_user(self, user_id: str) -> User | None:
        """Return a member, deleted or not."""
        return next((user for user in self.users if user.id == user_id), None)

    def find_key(self, key_id: str) -> ApiKey | None:
        """Return a key of any status."""
        return next((key for key in self.keys if key.id == key_id), None)


def make_people(organisation: Organisation) -> People:
    """Return the organisation's members, keys and service accounts as nature made them."""
    users = _make_users(organisation)
    if organisation.is_enterprise:
        return People(users, (), ())
    count = {SMALL: 0, MEDIUM: 1, LARGE: 2, EMPTY: 0}[organisation.size]
    accounts = tuple(
        f"svac_01{Draws(organisation.key, 'service account', str(number)).identifier()}"
        for number in range(count)
    )
    return People(users, _make_keys(organisation, users, accounts), accounts)


def _make_users(organisation: Organisation) -> tuple[User, ...]:
    counts = _ENTERPRISE_USERS if organisation.is_enterprise else _CONSOLE_USERS
    roles = _ENTERPRISE_ROLES if organisation.is_enterprise else _CONSOLE_ROLES
    count = counts[organisation.size]
    return tuple(
        _make_user(organisation, number, roles[number % len(roles)], is_leaver=number >= count - _REMOVED[organisation.size])
        for number in range(count)
    )  # fmt: skip


def _make_user(organisation: Organisation, number: int, role: str, *, is_leaver: bool) -> User:
    draws = Draws(organisation.key, "user", str(number))
    first = _FIRST[number % 16]
    last = _LAST[(number * 7 + number // 16) % 16]
    # The first third is there from the beginning, the others join over a year and a half.
    late = number > 1 and number % 3 and not is_leaver
    added_on = organisation.first_day + timedelta(days=draws.between(14, 0, 540) if late else -20)
    groups = tuple(
        group_id(organisation, place)
        for place in range(_GROUPS[organisation.size])
        if organisation.is_enterprise and draws.happens(place, 350)
    )
    return User(
        f"user_01{draws.identifier()}",
        f"{first}.{last}@{organisation.key_slug}.example".lower(),
        f"{first} {last}",
        role,
        added_on,
        date(2026, 6, 1) + timedelta(days=draws.between(13, 0, 130)) if is_leaver else None,
        groups=groups,
    )


def group_id(organisation: Organisation, place: int) -> str:
    """Return the id of an Enterprise organisation's group number `place`."""
    return f"rbac_group_01{Draws(organisation.key, 'group', str(place)).identifier()}"


def _make_keys(
    organisation: Organisation, users: tuple[User, ...], accounts: tuple[str, ...]
) -> tuple[ApiKey, ...]:
    keys: list[ApiKey] = []
    low, high = _KEYS[organisation.size]
    for place, workspace in enumerate(organisation.workspaces):
        if place == CLAUDE_CODE_PLACE and organisation.size in _PERSONAL_KEYS:
            # Signing in from Claude Code mints a key per person here, and none can be made by hand.
            members = users[: _PERSONAL_KEYS[organisation.size]] + users[-_REMOVED[organisation.size] :]
            keys.extend(_personal_key(organisation, workspace, user) for user in members)
            continue
        count = Draws(organisation.key, "keys", workspace.id).between(0, low, high)
        keys.extend(_workspace_key(organisation, workspace, number, users) for number in range(count))
    if organisation.size in (MEDIUM, LARGE):
        keys.append(_account_key(organisation, accounts[0]))
    return tuple(keys)


def _workspace_key(
    organisation: Organisation, workspace: Workspace, number: int, users: tuple[User, ...]
) -> ApiKey:
    draws = Draws(organisation.key, "api key", workspace.id, str(number))
    created_on = workspace.created_on + timedelta(days=number * draws.between(15, 20, 90))
    # Each workspace's first key lives as long as the workspace; later ones may have ended one way or another.
    fate = draws.between(14, 0, 9) if number else 9
    status, expires_on, last_day = "active", None, FOR_EVER
    if fate <= 2:
        last_day = created_on + timedelta(days=draws.between(13, 60, 500))
        status = ("archived", "inactive", "active")[fate]
        # An expired key is an active one whose day has come: nobody sets that status.
        expires_on = last_day + timedelta(days=1) if fate == 2 else None
    elif fate == 3:
        expires_on, last_day = date(2027, 6, 30), date(2027, 6, 29)
    if workspace.archived_on is not None:
        status, last_day = "archived", min(last_day, workspace.archived_on)
    text = draws.identifier()
    return ApiKey(
        f"apikey_01{text}",
        _KEY_NAMES[number],
        workspace.id,
        created_on,
        f"sk-ant-api03-{text[:3]}...{text[-4:]}",
        users[draws.between(12, 0, len(users) - 1)].id if fate != 4 else None,
        status,
        expires_on,
        last_day,
        # Claude Code in a pipeline works with a key that belongs to nobody.
        product="claude_code" if number == 1 else "messages_api",
    )


def _personal_key(organisation: Organisation, workspace: Workspace, user: User) -> ApiKey:
    draws = Draws(organisation.key, "personal key", user.id)
    text = draws.identifier()
    return ApiKey(
        f"apikey_01{text}",
        f"claude_code_key_{user.email.partition('@')[0]}",
        workspace.id,
        max(workspace.created_on, user.added_on),
        f"sk-ant-api03-{text[:3]}...{text[-4:]}",
        user.id,
        "archived" if workspace.archived_on else "active",
        last_day=min(user.removed_on or FOR_EVER, workspace.archived_on or FOR_EVER),
        principal=user.id,
        product="claude_code",
    )


def _account_key(organisation: Organisation, account: str) -> ApiKey:
    text = Draws(organisation.key, "account key").identifier()
    return ApiKey(
        f"apikey_01{text}",
        "automation",
        None,
        organisation.first_day,
        f"sk-ant-api01-{text[:3]}...{text[-4:]}",
        account,
        principal=account,
    )
