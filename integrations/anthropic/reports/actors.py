"""Owns whose a row is: the union of actors becomes a kind and an id, and what is said of people becomes a name."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from costs.records import NameRecord
from integrations.anthropic import wire
from integrations.anthropic.reports.fields import note, read_text, read_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costs.records import Scalar

USER, SERVICE_ACCOUNT, API, FEDERATED = "user_actor", "service_account_actor", "api_actor", "federated_actor"
_ID_FIELDS: Mapping[str, str] = {
    USER: "user_id",
    SERVICE_ACCOUNT: "service_account_id",
    API: "api_key_id",
}
# What identifies a federated workload that has no subject, by provider (official Python SDK 2.12.0, read 2026-11).
_PROVIDER_IDS = ("signed_principal", "account_id", "subscription_id", "project_number", "issuer")
# Upstream's stand-in for the name of somebody whose account is gone.
_DELETED_NAME = "Deleted User"


def read_actor(actor: Any, odd: dict[str, Scalar]) -> tuple[str | None, str | None]:
    """
    Return kind and id of an actor.

    Shape:   a federated workload is its subject, or "<provider>:<its id>" without one; a kind we do not know
             keeps its name, with all its ids as one text; what is no actor at all is nobody and stands in `odd`
    """
    if not isinstance(actor, dict):
        note(odd, "actor", actor)
        return None, None
    kind = read_text(actor, "type")
    if not kind:
        note(odd, "actor", actor)
        return None, None
    if kind == FEDERATED:
        return kind, read_text(actor, "subject") or _provider_id(actor)
    if kind in _ID_FIELDS:
        # Odd or not, an id is whose the row is.
        return intern(kind), read_word(actor, _ID_FIELDS[kind], odd)
    ids = {name: value for name, value in actor.items() if name.endswith("_id")}
    return intern(kind), wire.canonical(ids) if ids else None


def read_person(actor: wire.Row) -> NameRecord | None:
    """
    Return what a user actor is called; None when the actor is no user, or nothing is said.

    Shape:   the e-mail address stands in for a name that was never set; a placeholder only where the account is
             gone, because who merely left keeps name and address
    """
    user_id = read_text(actor, "user_id")
    # August's documents call it `email`, the SDK from 1.12 on `email_address`.
    email = read_text(actor, "email_address") or read_text(actor, "email")
    name = read_text(actor, "name") or email
    if actor.get("type") != USER or not user_id or not name:
        return None
    is_gone = actor.get("deleted") is True and (email is None or name == _DELETED_NAME)
    return NameRecord(
        kind="person",
        resource_id=user_id,
        name=name,
        attributes={"email": email} if email else {},
        is_listed=False,
        is_placeholder=is_gone,
    )


def _provider_id(actor: wire.Row) -> str | None:
    provider = actor.get("provider")
    if not isinstance(provider, dict):
        return None
    kind = read_text(provider, "type") or "unknown"
    known = (read_text(provider, name) for name in _PROVIDER_IDS)
    return f"{kind}:{next((value for value in known if value), '')}"
