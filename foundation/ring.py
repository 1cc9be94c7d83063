"""
The ring of AES-256-GCM keys: seals small secrets, each bound to what it belongs to. The only module that knows ciphers.

The associated data names the owner of a secret, so that a ciphertext copied to another row does not open.
"""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES = 12


class MissingRingKeyError(Exception):
    """The ring lacks the key under which something is stored."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"Ring key {key_id!r} is missing. Put it back into CREDENTIAL_KEYS (behind the active one)."
        )
        self.key_id = key_id


class DoesNotOpenError(Exception):
    """The sealed bytes were cut, changed or moved, or the ring holds another key under the same id."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext with its nonce, and the id of the ring key that opens it."""

    key_id: str
    data: bytes


def key_ids() -> list[str]:
    """Return the ids of the ring; the first one encrypts, all decrypt."""
    return [str(key_id) for key_id, _ in settings.CREDENTIAL_KEYS]


def seal(plain: bytes, *, bound_to: bytes) -> Sealed:
    """Encrypt with the active key."""
    key_id, key = settings.CREDENTIAL_KEYS[0]
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return Sealed(key_id, nonce + AESGCM(key).encrypt(nonce, plain, bound_to))


def unseal(sealed: Sealed, *, bound_to: bytes) -> bytes:
    """
    Decrypt.

    Raises:  MissingRingKeyError, DoesNotOpenError
    """
    key = dict(settings.CREDENTIAL_KEYS).get(sealed.key_id)
    if key is None:
        raise MissingRingKeyError(sealed.key_id)
    try:
        return AESGCM(key).decrypt(sealed.data[:_NONCE_BYTES], sealed.data[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):  # ValueError: cut short
        raise DoesNotOpenError from None
