"""Everything that can stand in the audit log: each action with its sentence and the fields it may record; pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any, Protocol

from django.core.serializers.json import DjangoJSONEncoder


class Event(Protocol):
    """What a sentence is made of: an `AuditEvent`, or anything of its shape."""

    actor: str
    action: str
    target: str
    changes: Any
    token_prefix: str
    address: Any


@dataclass(frozen=True, slots=True)
class Action:
    """
    What one action means.

    Shape:   `words` is the sentence after the actor, with {target} and fields in braces; {changes} lists all
             recorded fields. Only `fields` may be recorded: what is not named here never reaches the log. Those
             that the sentence names are `told` and must be recorded
    """

    words: str
    fields: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()


def _action(words: str, *fields: str) -> Action:
    named = {name for _, name, _, _ in Formatter().parse(words) if name}
    return Action(words, frozenset(fields), frozenset(named - {"target", "changes"}))


ACTIONS: Mapping[str, Action] = {
    # Accounts and people
    "account.created": _action("created the account {target}: {changes}", "name", "plan"),
    "account.edited": _action("changed the account {target}: {changes}", "name", "plan"),
    "account.erased": _action(
        "erased the account {target} with {connections} connections and {events} audit events, and the {people} people "
        "who belonged nowhere else",
        "connections", "events", "people",
    ),
    "member.added": _action("gave {target} the role {role}", "role"),
    "member.changed": _action("changed the role of {target} {role}", "role"),
    "member.removed": _action("removed {target}, who had the role {role}", "role"),
    "member.left": _action("left the account, where they had the role {role}", "role"),
    "invitation.sent": _action("invited {target} with the role {role}", "role"),
    "invitation.revoked": _action("withdrew the invitation of {target} with the role {role}", "role"),
    "invitation.accepted": _action("accepted the invitation and joined with the role {role}", "role"),
    "person.created": _action("created the person {target}"),
    "person.edited": _action(
        "changed the person {target}: {changes}",
        "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser", "groups", "user_permissions",
    ),
    # Signing in
    "person.signed_in": _action("signed in with {method}", "method"),
    "person.signed_out": _action("signed out"),
    "person.sign_in_failed": _action("failed to sign in with a wrong password"),
    "password.changed": _action("changed the password"),
    "password.reset": _action("chose a new password by a link from a mail"),
    "password.set_by_operator": _action("set the password of {target}"),
    "second_factor.added": _action("added a second factor: {kind}", "kind"),
    "second_factor.removed": _action("removed a second factor: {kind}", "kind"),
    "second_factor.codes_made": _action("made new recovery codes"),
    "second_factor.recovery_code_used": _action("used a recovery code as second factor"),
    "second_factor.failed": _action("gave a wrong code for the second factor"),
    "second_factor.reset": _action("took every second factor from {target}"),
    "sessions.ended": _action("ended {count} sessions", "count"),
    # Tokens and keys
    "token.issued": _action(
        "issued the API token {target} with the role {role}, {access}, expiring {expires}",
        "role", "access", "expires",
    ),
    "token.revoked": _action("revoked the API token {target} of the role {role}", "role"),
    "sql_reader.granted": _action("let the database role {target} read the account by SQL"),
    "sql_reader.revoked": _action("took the SQL access from the database role {target}"),
    "key.tested": _action("tested the key {target} with Anthropic without storing it"),
    # Views and dashboards
    "view.saved": _action("saved the view {target}"),
    "view.edited": _action("changed the view {target}"),
    "view.deleted": _action("deleted the view {target}"),
    "dashboard.saved": _action("made the dashboard {target}"),
    "dashboard.edited": _action("changed the dashboard {target}"),
    "dashboard.deleted": _action("deleted the dashboard {target}"),
    "keys.resealed": _action("re-encrypted {count} stored secrets under ring key {target}", "count"),
    "keys.given_up": _action("deleted {count} stored secrets that ring key {target} had sealed", "count"),
    "audit.exported": _action("exported the audit log"),
    # Connections
    "connection.created": _action("connected {target}"),
    "connection.tested": _action("tested the stored key of {target}"),
    "connection.edited": _action("changed {target}: {changes}", "label", "cost_center"),
    "connection.rotated": _action("replaced the key of {target} {key}", "key"),
    "connection.paused": _action("paused {target}"),
    "connection.resumed": _action("resumed {target}"),
    "connection.sync_forced": _action(
        "forced a sync of {target} for the days from {from_day} to before {to_day}", "from_day", "to_day"
    ),
    "connection.deepened": _action(
        "queued the older days of {target} that its plan includes, from {from_day} to before {to_day}",
        "from_day", "to_day",
    ),
    "connection.cost_source_chosen": _action("made another report the bill of {target}: {report}", "report"),
    "connection.disconnected": _action("disconnected {target} and kept its history"),
    "connection.erased": _action("disconnected {target} and erased its history"),
    "run.cancelled": _action("cancelled a run of {target}"),
}  # fmt: skip


def check(action: str, changes: Mapping[str, Any]) -> None:
    """
    See that an event may be written.

    Raises:  ValueError — a bug: the action is not declared above, or records a field that it does not allow, or not
             one that its sentence tells
    """
    known = ACTIONS.get(action)
    if known is None:
        raise ValueError(f"The action {action!r} has no sentence: declare it in accounts.actions.")
    if more := changes.keys() - known.fields:
        raise ValueError(f"{action} may not record {', '.join(sorted(more))}: see accounts.actions.")
    if missing := known.told - changes.keys():
        raise ValueError(f"{action} must record {', '.join(sorted(missing))}: see accounts.actions.")


def sentence(event: Event) -> str:
    """Return what happened as one English sentence, from the event alone."""
    known = ACTIONS.get(event.action)
    words = known.words if known else f"did {event.action} to {{target}}"
    values = {name: _value(value) for name, value in event.changes.items()}
    values["target"] = event.target or "nothing named"
    values["changes"] = (
        "; ".join(f"{name} {_value(value)}" for name, value in event.changes.items()) or "nothing"
    )
    told = words.format_map(_Told(values))
    origin = [
        *([f"token {event.token_prefix}…"] if event.token_prefix else []),
        *([f"address {event.address}"] if event.address else []),
    ]
    where = f" ({', '.join(origin)})" if origin else ""
    return f"{event.actor} {told}{where}."


class _Told(dict[str, str]):
    """Says so where an event lacks a field that its sentence names."""

    def __missing__(self, name: str) -> str:
        return "not recorded"


def _value(value: Any) -> str:
    """Write a recorded value; a pair is a difference."""
    if isinstance(value, list) and len(value) == 2:  # noqa: PLR2004 - before and after
        before, after = (_value(each) for each in value)
        return f"from {before} to {after}"
    if isinstance(value, list):
        return ", ".join(_value(each) for each in value) or "none"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def difference(before: Any, after: Any) -> list[Any]:
    """Return the pair under which a changed field is recorded."""
    return [_plain(before), _plain(after)]


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date | dt.datetime):
        return DjangoJSONEncoder().default(value)
    return value if isinstance(value, str | int | bool | None) else str(value)
