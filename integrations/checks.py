"""System checks: a start with a ring that cannot open a stored key is refused, not discovered at 06:00."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection

from integrations.models import Credential


@register(Tags.database)
def ring_opens_stored_keys(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Find stored credentials whose ring key is missing; runs with `check --database default`."""
    # `migrate` runs the database checks before it has made the table.
    if not databases or Credential._meta.db_table not in connection.introspection.table_names():
        return []
    known = [key_id for key_id, _ in settings.CREDENTIAL_KEYS]
    missing = set(Credential.objects.exclude(key_id__in=known).values_list("key_id", flat=True))
    return [
        Error(
            f"CREDENTIAL_KEYS lacks key {key_id!r}, under which keys are stored.",
            hint="Put it back behind the active one; `manage.py rotate_credentials` moves keys to the active one.",
            id="integrations.E001",
        )
        for key_id in sorted(missing)
    ]
