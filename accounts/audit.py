"""Append-only record of changes and key uses: who, with what, from where, did what to what."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponseBase

from accounts import actions
from accounts.models import Account, ApiToken, AuditEvent, User

_PREFIX_CHARACTERS = 8
_TARGET_CHARACTERS = 254


@dataclass(slots=True)
class Origin:
    """Where what happens now comes from; empty outside of a request."""

    request: HttpRequest | None = None
    token: ApiToken | None = None

    def columns(self) -> dict[str, Any]:
        """Return the columns that every event of this origin has in common."""
        if self.request is None:
            return {}
        # AuthenticationMiddleware's user loads at the first look; a token's request has none.
        user = getattr(self.request, "user", None)
        person = self.token.user_id if self.token else user.pk if isinstance(user, User) else None
        return {
            "person_id": person,
            "token_prefix": self.token.token_key[:_PREFIX_CHARACTERS] if self.token else "",
            "address": self.request.META.get("REMOTE_ADDR") or None,
            "request_id": str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64],
        }


_origin: ContextVar[Origin] = ContextVar("audit_origin")


def origin_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Remember the request for the events that it causes, on whatever level they are written."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with _from(Origin(request)):
            return get_response(request)

    return middleware


@contextmanager
def _from(origin: Origin) -> Iterator[None]:
    mark = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(mark)


def note_token(token: ApiToken) -> None:
    """Remember which token opened the request under way."""
    if origin := _origin.get(None):
        origin.token = token


def record(
    account: Account | None,
    actor: str,
    action: str,
    target: str = "",
    *,
    target_id: object = "",
    **changes: Any,
) -> AuditEvent:
    """
    Append one event in the caller's transaction.

    Shape:   `changes` holds plain values, or `actions.difference` pairs; never a secret. Without an account
             the event is the installation's
    Raises:  ValueError — the action or one of the fields is not declared in `accounts.actions`
    """
    event = _event(account, actor, action, target, target_id=target_id, **changes)
    event.save(force_insert=True)
    return event


def record_person(user: User, action: str, *, actor: str = "", **changes: Any) -> None:
    """
    Append what happened to a person's own sign-in to the log of every account they belong to.

    Somebody who belongs to none, an operator perhaps, stands in the installation's log.
    """
    accounts: list[Account | None] = list(Account.objects.filter(memberships__user=user)) or [None]
    who, target = actor or user.email, user.email if actor else ""
    AuditEvent.objects.bulk_create(
        [_event(account, who, action, target, target_id=user.pk, **changes) for account in accounts]
    )


def record_stranger(email: str, action: str) -> None:
    """
    Append what somebody tried with an address that nobody has.

    It costs what `record_person` costs, so that how long an answer takes does not tell who exists.
    """
    AuditEvent.objects.bulk_create([_event(None, email, action, "")])


def _event(
    account: Account | None, actor: str, action: str, target: str, *, target_id: object = "", **changes: Any
) -> AuditEvent:
    actions.check(action, changes)
    origin = _origin.get(None)
    return AuditEvent(
        account=account,
        actor=actor[:_TARGET_CHARACTERS],
        action=action,
        target=target[:_TARGET_CHARACTERS],
        target_id=str(target_id),
        changes=changes,
        **(origin.columns() if origin else {}),
    )
