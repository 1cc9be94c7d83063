"""Owns the lists of names: workspaces, API keys and people, as upstream calls them at the time of asking."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costs.records import NameRecord
from integrations.anthropic import endpoints, wire
from integrations.anthropic.reports.paging import LAST_ID, read_rows
from integrations.anthropic.stream import Reading
from integrations.pages import PageRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

_MAX_ROWS = 1000
_PAGE_ROWS = ("limit", str(_MAX_ROWS))
_DEFAULT_WORKSPACE_NAME = "Default"


def workspaces_request() -> PageRequest:
    """Build the query for all workspaces: archived ones still have cost, and the default one hides behind null."""
    query = (("include_archived", "true"), ("include_default", "true"), _PAGE_ROWS)
    return PageRequest("workspaces", endpoints.WORKSPACES, query)


def api_keys_request() -> PageRequest:
    """Build the query for all keys: without a status it returns those of every status."""
    return PageRequest("api_keys", endpoints.API_KEYS, (_PAGE_ROWS,))


def people_request(stream: str, limit: int = _MAX_ROWS) -> PageRequest:
    """Build the query for all members; who has left is not listed, and known from reports only."""
    return PageRequest(stream, endpoints.USERS, (("limit", str(limit)),))


def read_workspaces(bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()) -> Reading:
    """
    Read all pages of the list of workspaces.

    Shape:   one name for each id, in order of appearance; the last spelling wins if the list moved while paging
    Raises:  UpstreamError (upstream_unreadable)
    """
    created: dict[str, datetime | None] = {}

    def read(row: wire.Row) -> NameRecord:
        created[wire.get_text(row, "id")] = wire.find_moment(row, "created_at")
        archived_at = wire.find_moment(row, "archived_at")
        return replace(_name("workspace", row, "archived_at"), archived_at=archived_at)

    names = _read_list(bodies, request_ids, read)
    default_id = _default_workspace_id(names, created)
    return _reading(
        {
            each.resource_id: replace(each, is_default=each.resource_id == default_id)
            for each in names.values()
        }
    )


def read_api_keys(bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()) -> Reading:
    """
    Read all pages of the list of API keys.

    Shape:   status, scope, expiry, creator, principal and hint stay in the attributes, as upstream writes them
    Raises:  UpstreamError (upstream_unreadable)
    """
    return _reading(_read_list(bodies, request_ids, lambda row: _name("api_key", row)))


def read_people(bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()) -> Reading:
    """
    Read all pages of the list of members.

    Shape:   the e-mail address stands in for a name that was never set; e-mail, role and date in the attributes
    Raises:  UpstreamError (upstream_unreadable)
    """
    return _reading(_read_list(bodies, request_ids, _person))


def _person(row: wire.Row) -> NameRecord:
    email = wire.find_text(row, "email") or wire.find_text(row, "email_address")
    named = {**row, "name": wire.find_text(row, "name") or email}
    found = _name("person", named, "email_address")
    return replace(found, attributes={**found.attributes, "email": email})


def _name(kind: str, row: wire.Row, *not_attributes: str) -> NameRecord:
    known = {"id", "type", "name", *not_attributes}
    attributes: dict[str, Any] = json.loads(
        wire.canonical({name: value for name, value in row.items() if name not in known})
    )
    return NameRecord(
        kind=kind,
        resource_id=wire.get_text(row, "id"),
        name=wire.get_text(row, "name"),
        attributes=attributes,
    )


def _read_list(
    bodies: Sequence[bytes], request_ids: Sequence[str | None], read: Callable[[wire.Row], NameRecord]
) -> dict[str, NameRecord]:
    names: dict[str, NameRecord] = {}

    def add(row: wire.Row, _refreshed_at: datetime | None) -> None:
        found = read(row)
        names[found.resource_id] = found

    read_rows(bodies, request_ids, add, cursor_field=LAST_ID)
    return names


def _reading(names: Mapping[str, NameRecord]) -> Reading:
    return Reading((), frozenset(), names=list(names.values()))


def _default_workspace_id(
    names: Mapping[str, NameRecord], created: Mapping[str, datetime | None]
) -> str | None:
    """
    Tell which workspace the classic reports write as null.

    Upstream does not mark it. It is called "Default", cannot be archived, and came with the organisation, so
    it is the oldest of that name should somebody have made another one.
    """
    candidates = [
        each.resource_id
        for each in names.values()
        if each.name == _DEFAULT_WORKSPACE_NAME and each.archived_at is None
    ]
    if len(candidates) == 1:
        return candidates[0]
    dated = [(moment, each) for each in candidates if (moment := created[each]) is not None]
    # Without all dates the choice would be a guess, and a wrong one moves cost to another workspace.
    return min(dated)[1] if dated and len(dated) == len(candidates) else None
