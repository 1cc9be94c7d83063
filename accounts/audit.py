"""Append-only record of changes and key uses."""

from typing import Any

from accounts.models import Account, AuditEvent


def record(account: Account, actor: str, action: str, target: str = "", **changes: Any) -> AuditEvent:
    """Append one event; `changes` holds plain values and never a secret."""
    return AuditEvent.objects.create(
        account=account, actor=actor, action=action, target=target, changes=changes
    )
