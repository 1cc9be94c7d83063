"""A start with a ring that cannot open what is stored is refused, not discovered at 06:00."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import structlog
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import InterfaceError, OperationalError, connection

from accounts import second_factor
from foundation import ring
from integrations import vault
from integrations.models import Connection, Credential

_log = structlog.get_logger(__name__)
_REMEDY = (
    "Put it back behind the active one; `manage.py rotate_credentials` moves everything to the active one."
)
# A start does not open thousands of keys; so many say whether the ring's key is the one they were sealed with, also
# where some of them were damaged.
_TRIED = 20


def missing_ring_keys() -> list[str]:
    """Return the ids of ring keys under which keys or second factors are stored, and which the ring lacks."""
    return sorted(_stored_key_ids() - set(ring.key_ids()))


def other_ring_keys() -> list[str]:
    """Return the ids under which the ring has another key than the one that sealed what is stored."""
    return sorted(filter(_opens_nothing, _stored_key_ids() & set(ring.key_ids())))


def _opens_nothing(key_id: str) -> bool:
    """Say whether nothing of what was tried opens; one that does proves the key, whatever happened to the others."""
    keys = Credential.objects.filter(key_id=key_id).select_related("connection").order_by("-updated_at")
    # Nothing but what binds the key: `migrate` runs the database checks before it has added newer columns …
    bound = keys.only("key_id", "sealed", "connection__account_id")[:_TRIED]
    if any(map(vault.opens, bound)):
        return False
    factors = second_factor.iter_sealed(key_id) if _has_table(second_factor.table()) else ()
    return not any(second_factor.opens(text) for _, text in islice(factors, _TRIED))


def _stored_key_ids() -> set[str]:
    stored: set[str] = set()
    if _has_table(Credential._meta.db_table):
        stored |= set(Credential.objects.values_list("key_id", flat=True).distinct())
    if _has_table(second_factor.table()):
        stored |= second_factor.stored_key_ids()
    return stored


def _has_table(name: str) -> bool:
    """… or made the tables."""
    return name in connection.introspection.table_names()


@register(Tags.database)
def ring_opens_what_is_stored(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Find what is stored under a missing or another ring key; runs with `check --database default`."""
    if not databases:
        return []
    return [Error(told, hint=_REMEDY, id="integrations.E001") for told in ring_troubles().values()]


def refusal_to_start() -> str:
    """
    Return why web or a worker must not start; empty when it may.

    Without a database nothing is known: the process starts and waits for it, as it does when it goes away later.
    """
    try:
        troubles = [*ring_troubles().values()]
    except (OperationalError, InterfaceError) as error:
        _log.warning("ring_not_checked", error=type(error).__name__)
        return ""
    return f"{' '.join(troubles)} {_REMEDY}" if troubles else ""


def ring_troubles() -> dict[str, str]:
    """Return what is wrong with the ring, in a sentence for each id under which something is stored."""
    lacking = {
        key_id: f"CREDENTIAL_KEYS lacks key {key_id!r}, under which keys or second factors are stored."
        for key_id in missing_ring_keys()
    }
    other = {
        key_id: f"CREDENTIAL_KEYS has another key {key_id!r} than the one with which keys or second factors were stored."
        for key_id in other_ring_keys()
    }
    return lacking | other


def connections_without_key() -> list[Connection]:
    """Return live connections whose key is not there or does not open, by age; opens every stored key."""
    live = Connection.objects.filter(disconnected_at__isnull=True).order_by("created_at")
    stored = {each.connection_id: each for each in Credential.objects.select_related("connection").iterator()}
    return [each for each in live if each.pk not in stored or not vault.opens(stored[each.pk])]
