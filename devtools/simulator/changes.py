"""The changes a test can order to the world, one function per action; truth follows because rows are read anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from .keys import ADMIN, ENTERPRISE
from .world.costs import DIMENSIONS, CostKey, CostRow
from .world.edits import Added, Restated, Shifted, Vanished
from .world.money import cents_units, usd_text, usd_units
from .world.people import KEY_STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .world.organisations import Organisation, Workspace
    from .world.people import ApiKey, User
    from .world.world import World


def change_world(
    world: World, organisation: Organisation, action: str, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Do one action and return what it did; raises ValueError or KeyError when the order makes no sense."""
    if action not in _ACTIONS:
        raise ValueError(f"no such action: {action}; there are {sorted(_ACTIONS)}")
    return _ACTIONS[action](world, organisation, fields)


def _restate_day(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Multiply a day by `factor` or add `delta` USD to it."""
    return _edit(world, organisation, _day(fields), _amount_edit(fields))


def _restate_after(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Restate a day, as `restate_day` does, once `after_days` days have passed since it."""
    day, edit = _day(fields), _amount_edit(fields)
    from_day = day + timedelta(days=int(fields["after_days"]))
    edit.apply(world.rows(organisation, day))
    world.edit_day(organisation, day, edit, from_day=from_day)
    return {"day": day.isoformat(), "seen_from": from_day.isoformat()}


def _plant_difference(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Change a day by `factor` or `delta` USD in the analytics reports only."""
    day, edit = _day(fields), _amount_edit(fields)
    edit.apply(world.rows(organisation, day))
    world.plant_difference(organisation, day, edit)
    analytics = usd_text(sum(charge.units for charge in world.charges(organisation, day)))
    return {"day": day.isoformat(), "cost_usd": _total(world, organisation, day), "analytics_usd": analytics}


def _amount_edit(fields: Mapping[str, Any]) -> Restated | Shifted:
    if ("factor" in fields) == ("delta" in fields):
        raise ValueError("give factor or delta")
    return Restated(str(fields["factor"])) if "factor" in fields else Shifted(usd_units(str(fields["delta"])))


def _vanish_row(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the row at `index` of the day's rows as truth lists them now."""
    day = _day(fields)
    key = world.rows(organisation, day)[int(fields.get("index", 0))].key
    return _edit(world, organisation, day, Vanished(key)) | {
        "row": {name: getattr(key, name) for name in DIMENSIONS}
    }


def _add_row(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Add a row of `amount_cents`; dimensions that are not given are as on an ordinary token row."""
    usual = {
        "workspace_id": None,
        "description": "Claude Opus 5 Usage - Output Tokens",
        "cost_type": "tokens",
        "model": "claude-opus-5",
        "token_type": "output_tokens",
        "service_tier": "standard",
        "context_window": "0-200k",
        "inference_geo": "global",
    }
    key = CostKey(**{name: fields.get(name, usual[name]) for name in DIMENSIONS})
    return _edit(
        world, organisation, _day(fields), Added(CostRow(key, cents_units(str(fields["amount_cents"]))))
    )


def _restore_day(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Undo every change to a day."""
    world.restore_day(organisation, _day(fields))
    return {"total_usd": _total(world, organisation, _day(fields))}


def _new_key(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Issue another key of `kind` (admin, enterprise, inference); the old one stays valid."""
    return {"key": world.issue_key(organisation.key_slug, _kind(organisation, fields))}


def _revoke_key(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Revoke `key`, or the newest of `kind`."""
    key = str(fields.get("key") or world.current_key(organisation.key_slug, _kind(organisation, fields)))
    if not world.revoke_key(key):
        raise ValueError("not a simulated key")
    return {"revoked": key[-4:]}


def _rename_workspace(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give a workspace another `name`."""
    workspace = replace(_workspace(organisation, fields), name=str(fields["name"]))
    world.put_workspace(organisation, workspace)
    return {"workspace_id": workspace.id, "name": workspace.name}


def _archive_workspace(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Archive a workspace today: it has no traffic from tomorrow on and leaves the default list."""
    workspace = replace(_workspace(organisation, fields), archived_on=world.today())
    world.put_workspace(organisation, workspace)
    return {"workspace_id": workspace.id, "archived_on": world.today().isoformat()}


def _add_workspace(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Add a workspace called `name`."""
    workspace = world.add_workspace(organisation, str(fields["name"]))
    return {"workspace_id": workspace.id, "name": workspace.name}


def _rename_organisation(
    world: World, organisation: Organisation, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the organisation another `name`."""
    world.rename_organisation(organisation, str(fields["name"]))
    return {"name": fields["name"]}


def _rename_user(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give a member another `name`, `email` or both."""
    user = _user(world, organisation, fields)
    changed = replace(
        user, name=str(fields.get("name", user.name)), email=str(fields.get("email", user.email))
    )
    world.roster.put_user(organisation, changed)
    return {"user_id": user.id, "name": changed.name, "email": changed.email}


def _delete_user(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Remove a member at once: gone from the lists, still in reports, without usage from tomorrow on."""
    user, today = _user(world, organisation, fields), world.today()
    world.roster.put_user(organisation, replace(user, removed_on=today, is_removed=True))
    for key in world.roster.people(organisation).keys:
        if key.principal == user.id:
            world.roster.put_key(
                organisation, replace(key, status="archived", last_day=min(key.last_day, today))
            )
    return {"user_id": user.id, "removed_on": today.isoformat()}


def _key_status(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Set a key's `status`; it is not used after today unless it is active. An ended key is never used again."""
    key, status = _api_key(world, organisation, fields), str(fields["status"])
    if status not in KEY_STATUSES:
        raise ValueError(f"status must be one of {KEY_STATUSES}")
    last_day = key.last_day if status == "active" else min(key.last_day, world.today())
    # Expiry is a matter of time: setting that status moves the moment to today.
    expires_on = world.today() if status == "expired" else None if status == "active" else key.expires_on
    kept = "active" if status == "expired" else status
    world.roster.put_key(organisation, replace(key, status=kept, last_day=last_day, expires_on=expires_on))
    return {"api_key_id": key.id, "status": status}


def _rename_key(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give an API key another `name`."""
    key = replace(_api_key(world, organisation, fields), name=str(fields["name"]))
    world.roster.put_key(organisation, key)
    return {"api_key_id": key.id, "name": key.name}


def _edit(
    world: World, organisation: Organisation, day: date, edit: Restated | Shifted | Vanished | Added
) -> dict[str, Any]:
    before = _total(world, organisation, day)
    # Trying the change first refuses a bad one before it can spoil every later reading of the day.
    edit.apply(world.rows(organisation, day))
    world.edit_day(organisation, day, edit)
    return {"day": day.isoformat(), "before_usd": before, "after_usd": _total(world, organisation, day)}


def _total(world: World, organisation: Organisation, day: date) -> str:
    return usd_text(sum(row.units for row in world.rows(organisation, day)))


def _kind(organisation: Organisation, fields: Mapping[str, Any]) -> str:
    return str(fields.get("kind", ENTERPRISE if organisation.is_enterprise else ADMIN))


def _day(fields: Mapping[str, Any]) -> date:
    return date.fromisoformat(str(fields["day"]))


def _workspace(organisation: Organisation, fields: Mapping[str, Any]) -> Workspace:
    for workspace in organisation.workspaces:
        if workspace.id == fields["workspace_id"]:
            return workspace
    raise ValueError(f"no such workspace: {fields['workspace_id']}")


def _user(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> User:
    user = world.roster.people(organisation).find_user(str(fields["user_id"]))
    if user is None:
        raise ValueError(f"no such user: {fields['user_id']}")
    return user


def _api_key(world: World, organisation: Organisation, fields: Mapping[str, Any]) -> ApiKey:
    key = world.roster.people(organisation).find_key(str(fields["api_key_id"]))
    if key is None:
        raise ValueError(f"no such API key: {fields['api_key_id']}")
    return key


_ACTIONS: dict[str, Callable[[World, Organisation, Mapping[str, Any]], dict[str, Any]]] = {
    "restate_day": _restate_day,
    "restate_after": _restate_after,
    "plant_difference": _plant_difference,
    "vanish_row": _vanish_row,
    "add_row": _add_row,
    "restore_day": _restore_day,
    "new_key": _new_key,
    "revoke_key": _revoke_key,
    "rename_workspace": _rename_workspace,
    "archive_workspace": _archive_workspace,
    "add_workspace": _add_workspace,
    "rename_organisation": _rename_organisation,
    "rename_user": _rename_user,
    "delete_user": _delete_user,
    "key_status": _key_status,
    "rename_key": _rename_key,
}
