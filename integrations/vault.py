"""Keys at rest: sealed with the ring, each ciphertext bound to its row.

With `connections.open_client` the only module that holds a decrypted key. The associated data names the row, so a
ciphertext copied to another connection does not open.
"""

from foundation import ring
from foundation.ring import DoesNotOpenError, MissingRingKeyError, Sealed
from integrations.models import Connection, Credential


class VaultError(Exception):
    """
    This process cannot open a stored key: its ring lacks the key, or has another one under the same id.

    Another process may have the right one, so it says nothing of the connection. A row that was cut or changed
    looks the same; `manage.py doctor` tells the two apart by what else is stored under the id.
    """


def _bound_to(connection: Connection) -> bytes:
    return f"tallystick:credential:{connection.account_id}:{connection.pk}".encode()


def seal(connection: Connection, api_key: str) -> None:
    """Encrypt the key with the active ring key and store it for this connection."""
    sealed = ring.seal(api_key.encode(), bound_to=_bound_to(connection))
    Credential.objects.update_or_create(
        connection=connection, defaults={"key_id": sealed.key_id, "sealed": sealed.data}
    )


def unseal(credential: Credential) -> str:
    """Return the plain key; raise VaultError when the ring cannot open it."""
    sealed = Sealed(credential.key_id, bytes(credential.sealed))
    try:
        return ring.unseal(sealed, bound_to=_bound_to(credential.connection)).decode()
    except MissingRingKeyError as error:
        raise VaultError(
            f"The key of connection {credential.connection_id} cannot be read. {error}"
        ) from error
    except DoesNotOpenError:
        raise VaultError(
            f"The stored key of connection {credential.connection_id} does not open with ring key "
            f"{credential.key_id!r} of this process: either is not the one it was stored with."
        ) from None


def opens(credential: Credential) -> bool:
    """Say whether this process's ring opens a stored key."""
    try:
        unseal(credential)
    except VaultError:
        return False
    return True


def reseal(credential: Credential) -> bool:
    """
    Re-encrypt with the active ring key; False when it already is.

    Raises:  VaultError — also for one under the active id, which another ring's key of that id has sealed
    """
    plain = unseal(credential)
    if credential.key_id == ring.key_ids()[0]:
        return False
    seal(credential.connection, plain)
    return True
