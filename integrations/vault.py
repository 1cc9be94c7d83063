"""Keys at rest: AES-256-GCM under a ring of keys with ids, each ciphertext bound to its row.

The only module that touches the ring, and with `connections.open` the only one that holds a decrypted
key. The associated data names the row, so a ciphertext copied to another connection does not open.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from integrations.models import Connection, Credential

_NONCE_BYTES = 12


class VaultError(Exception):
    """A stored key cannot be opened: its ring key is missing, or the row was tampered with."""


def _ring() -> dict[str, bytes]:
    return dict(settings.CREDENTIAL_KEYS)


def active_key_id() -> str:
    """Return the id of the ring key that encrypts from now on."""
    return str(settings.CREDENTIAL_KEYS[0][0])


def _bound_to(connection: Connection) -> bytes:
    return f"tallystick:credential:{connection.account_id}:{connection.pk}".encode()


def seal(connection: Connection, api_key: str) -> None:
    """Encrypt the key with the active ring key and store it for this connection."""
    key_id, key = settings.CREDENTIAL_KEYS[0]
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, api_key.encode(), _bound_to(connection))
    Credential.objects.update_or_create(connection=connection, defaults={"key_id": key_id, "sealed": sealed})


def unseal(credential: Credential) -> str:
    """Return the plain key; raise VaultError when the ring cannot open it."""
    key = _ring().get(credential.key_id)
    if key is None:
        raise VaultError(
            f"Ring key {credential.key_id!r} is missing, so the key of connection {credential.connection_id} "
            "cannot be read. Put it back into CREDENTIAL_KEYS (behind the active one)."
        )
    sealed = bytes(credential.sealed)
    try:
        plain = AESGCM(key).decrypt(
            sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(credential.connection)
        )
    except (InvalidTag, ValueError):  # ValueError: cut short
        raise VaultError(
            f"The stored key of connection {credential.connection_id} does not open with ring key "
            f"{credential.key_id!r}: either is not the one it was stored with. Replace the key (rotate)."
        ) from None
    return plain.decode()


def reseal(credential: Credential) -> bool:
    """Re-encrypt with the active ring key; False when it already is."""
    if credential.key_id == active_key_id():
        return False
    seal(credential.connection, unseal(credential))
    return True
