"""A start with a ring that cannot open what is stored is refused, not discovered at 06:00."""

from collections.abc import Sequence
from typing import Any

import structlog
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import InterfaceError, OperationalError, connection

from accounts import second_factor
from config import ring
from integrations.models import Credential

_log = structlog.get_logger(__name__)
_REMEDY = (
    "Put it back behind the active one; `manage.py rotate_credentials` moves everything to the active one."
)


def missing_ring_keys() -> list[str]:
    """Return the ids of ring keys under which keys or second factors are stored, and which the ring lacks."""
    # `migrate` runs the database checks before it has made the tables.
    tables = connection.introspection.table_names()
    stored: set[str] = set()
    if Credential._meta.db_table in tables:
        stored |= set(Credential.objects.values_list("key_id", flat=True).distinct())
    if second_factor.table() in tables:
        stored |= second_factor.stored_key_ids()
    return sorted(stored - set(ring.key_ids()))


@register(Tags.database)
def ring_opens_what_is_stored(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Find what is stored under a missing ring key; runs with `check --database default`."""
    if not databases:
        return []
    return [Error(_told(key_id), hint=_REMEDY, id="integrations.E001") for key_id in missing_ring_keys()]


def refusal_to_start() -> str:
    """
    Return why web or a worker must not start; empty when it may.

    Without a database nothing is known: the process starts and waits for it, as it does when it goes away later.
    """
    try:
        missing = missing_ring_keys()
    except (OperationalError, InterfaceError) as error:
        _log.warning("ring_not_checked", error=type(error).__name__)
        return ""
    return f"{' '.join(map(_told, missing))} {_REMEDY}" if missing else ""


def _told(key_id: str) -> str:
    return f"CREDENTIAL_KEYS lacks key {key_id!r}, under which keys or second factors are stored."
