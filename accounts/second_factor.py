"""
Second factors: their secrets sealed at rest, and who has to have shown one.

The sign-in itself asks for the factor of whoever has one. Operators (staff) must have shown one in this session
before a page of theirs opens; see docs/adr/0008-sign-in-and-second-factor.md.
"""

import base64
import binascii
from collections.abc import Iterator

from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from foundation import ring
from foundation.ring import DoesNotOpenError, MissingRingKeyError, Sealed

_BOUND_TO = b"tallystick:second-factor"
# Where allauth keeps what `MfaAdapter` sealed: of an authenticator app, of recovery codes.
_SEALED_FIELDS = ("secret", "seed")


class SecondFactorUnreadableError(Exception):
    """The stored secret of a second factor does not open; the ring lacks its key or the row was changed."""


class MfaAdapter(DefaultMFAAdapter):
    """Seals what allauth would store in plain text."""

    def encrypt(self, text: str) -> str:
        sealed = ring.seal(text.encode(), bound_to=_BOUND_TO)
        return f"{sealed.key_id}:{base64.b64encode(sealed.data).decode()}"

    def decrypt(self, encrypted_text: str) -> str:
        key_id, _, data = encrypted_text.partition(":")
        try:
            sealed = Sealed(key_id, base64.b64decode(data, validate=True))
            return ring.unseal(sealed, bound_to=_BOUND_TO).decode()
        except (MissingRingKeyError, DoesNotOpenError, binascii.Error) as error:
            raise SecondFactorUnreadableError(
                f"A stored second factor does not open with ring key {key_id!r}. {error}".strip()
            ) from error


def has_one(user: User) -> bool:
    """Say whether the sign-in asks this person for a second factor."""
    return bool(DefaultMFAAdapter().is_mfa_enabled(user))


def was_shown(request: HttpRequest) -> bool:
    """Say whether the person has shown a second factor in this session."""
    if not isinstance(request.user, User):
        return False
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))


def table() -> str:
    """Return the table of second factors, which a database before its first migration has not got."""
    return str(Authenticator._meta.db_table)


def stored_key_ids() -> set[str]:
    """Return the ids of the ring keys under which second factors are stored."""
    rows = Authenticator.objects.values_list("data", flat=True)
    return {data[name].partition(":")[0] for data in rows for name in _SEALED_FIELDS if name in data}


def iter_sealed(key_id: str) -> Iterator[tuple[int, str]]:
    """Yield each secret that is sealed under a ring key, with the id of its second factor."""
    for pk, data in Authenticator.objects.values_list("pk", "data"):
        for name in _SEALED_FIELDS:
            if data.get(name, "").partition(":")[0] == key_id:
                yield pk, data[name]


def opens(encrypted_text: str) -> bool:
    """Say whether this process's ring opens a stored secret."""
    try:
        MfaAdapter().decrypt(encrypted_text)
    except SecondFactorUnreadableError:
        return False
    return True


def reseal_all() -> tuple[int, list[str]]:
    """
    Re-encrypt every stored second factor with the active ring key.

    Shape:   how many were under another one, and what is to be said of those that do not open; they stay as they are
    """
    moved, problems = 0, []
    for pk in list(Authenticator.objects.values_list("pk", flat=True)):
        try:
            moved += _reseal(pk)
        except SecondFactorUnreadableError as error:
            problems.append(str(error))
    return moved, problems


@transaction.atomic
def _reseal(pk: int) -> bool:
    """Move one row in one transaction: using a recovery code meanwhile must not be undone."""
    adapter, active = MfaAdapter(), ring.key_ids()[0]
    row = Authenticator.objects.select_for_update().filter(pk=pk).first()
    plain = {n: adapter.decrypt(row.data[n]) for n in _SEALED_FIELDS if n in row.data} if row else {}
    if row is None or all(row.data[name].startswith(f"{active}:") for name in plain):
        return False
    row.data |= {name: adapter.encrypt(text) for name, text in plain.items()}
    row.save(update_fields=["data"])
    return True


def give_up(key_id: str) -> int:
    """Remove the second factors that this ring cannot read; return how many. Passkeys hold no secret and stay."""
    lost = {pk for pk, text in iter_sealed(key_id) if not opens(text)}
    taken, _ = Authenticator.objects.filter(pk__in=lost).delete()
    return int(taken)


def take_all(user: User) -> int:
    """Remove every second factor of somebody who has lost theirs; return how many."""
    taken, _ = Authenticator.objects.filter(user=user).delete()
    return int(taken)
