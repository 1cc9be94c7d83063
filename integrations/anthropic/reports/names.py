"""Owns the lists of names: workspaces, API keys and people, as upstream calls them at the time of asking."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costs.records import NameRecord
from integrations.anthropic import endpoints, wire
from integrations.anthropic.report_spec import ParsedWindow
from integrations.anthropic.reports.fields import read_text
from integrations.anthropic.reports.paging import LAST_ID, read_rows
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


def people_request(report_name: str, limit: int = _MAX_ROWS) -> PageRequest:
    """Build the query for all members; who has left is not listed, and known from reports only."""
    return PageRequest(report_name, endpoints.USERS, (("limit", str(limit)),))


def read_workspaces(bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()) -> ParsedWindow:
    """
    Read all pages of the list of workspaces.

    Shape:   one name for each id, in order of appearance; the last spelling wins if the list moved while paging. One
             without a name, or with an odd field, keeps the others theirs
    Raises:  UpstreamError (upstream_unreadable)
    """
    created: dict[str, datetime | None] = {}

    def read(row: wire.Row) -> NameRecord:
        created[wire.get_text(row, "id")] = _moment(row, "created_at")
        archived_at = _moment(row, "archived_at")
        # A moment that cannot be read stays with the attributes.
        known = ("archived_at",) if archived_at or row.get("archived_at") is None else ()
        return replace(_name("workspace", row, *known), archived_at=archived_at)

    reading = _read_list(bodies, request_ids, read)
    names = {each.resource_id: each for each in reading.names}
    default_id = _default_workspace_id(names, created)
    return replace(
        reading,
        names=[replace(each, is_default=each.resource_id == default_id) for each in names.values()],
    )


def read_api_keys(bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()) -> ParsedWindow:
    """
    Read all pages of the list of API keys.

    Shape:   status, scope, expiry, creator, principal and hint stay in the attributes, as upstream writes them
    Raises:  UpstreamError (upstream_unreadable)
    """
    return _read_list(bodies, request_ids, lambda row: _name("api_key", row))


def read_people(bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()) -> ParsedWindow:
    """
    Read all pages of the list of members.

    Shape:   the e-mail address stands in for a name that was never set; e-mail, role and date in the attributes
    Raises:  UpstreamError (upstream_unreadable)
    """
    return _read_list(bodies, request_ids, _person)


def _person(row: wire.Row) -> NameRecord:
    email = read_text(row, "email") or read_text(row, "email_address")
    found = _name("person", {**row, "name": read_text(row, "name") or email}, "email_address")
    return replace(found, attributes={**found.attributes, "email": email})


def _name(kind: str, row: wire.Row, *not_attributes: str) -> NameRecord:
    known = {"id", "type", "name", *not_attributes}
    attributes: dict[str, Any] = json.loads(
        wire.canonical({name: value for name, value in row.items() if name not in known})
    )
    resource_id = wire.get_text(row, "id")
    name = read_text(row, "name")
    # Its id stands in for the name that it has not, and never replaces one that it had.
    return NameRecord(
        kind=kind,
        resource_id=resource_id,
        name=name or resource_id,
        attributes=attributes,
        is_nameless=not name,
    )


def _moment(row: wire.Row, name: str) -> datetime | None:
    try:
        return wire.find_moment(row, name)
    except wire.WireError:
        return None


def _read_list(
    bodies: Sequence[bytes], request_ids: Sequence[str | None], read: Callable[[wire.Row], NameRecord]
) -> ParsedWindow:
    """Read all rows; one that has no id can be no resource, and is passed over and told of."""
    names: dict[str, NameRecord] = {}
    unread: list[str] = []

    def add(row: wire.Row, _refreshed_at: datetime | None) -> None:
        try:
            found = read(row)
        except wire.WireError:
            unread.append(wire.canonical(row))
        else:
            names[found.resource_id] = found

    read_rows(bodies, request_ids, add, cursor_field=LAST_ID)
    return ParsedWindow((), frozenset(), names=list(names.values()), unread=tuple(unread))


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
