"""The formula for simulated keys, so that a test knows an organisation's key without asking; holds no state."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

ADMIN, ENTERPRISE, INFERENCE = "admin", "enterprise", "inference"
# An Enterprise key that may also read who the members are.
MEMBERS = "enterprise_members"
ENTERPRISE_KINDS = (ENTERPRISE, MEMBERS)

# The prefixes are Anthropic's own; a client may use them as a hint to what a key can do.
_PREFIXES = {
    ADMIN: "sk-ant-admin01-sim-",
    ENTERPRISE: "sk-ant-api01-sim-",
    INFERENCE: "sk-ant-api03-sim-",
    MEMBERS: "sk-ant-api01-members-sim-",
}
_SCOPES = {
    ADMIN: ("api:admin",),
    ENTERPRISE: ("read:analytics",),
    INFERENCE: ("user:inference",),
    MEMBERS: ("read:analytics", "read:members"),
}


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What the text of a key claims: its kind, its organisation's slug and the how-manieth key it is."""

    kind: str
    slug: str
    serial: int

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes such a key carries."""
        return _SCOPES[self.kind]


def key_text(slug: str, kind: str = ADMIN, serial: int = 1) -> str:
    """Return the organisation's key of that kind; `serial` counts from 1 and grows with every new key."""
    body = f"{_PREFIXES[kind]}{slug}-{serial:04d}"
    return f"{body}-{zlib.crc32(body.encode()):08x}"


def read_key(text: str) -> KeyShape | None:
    """Return what a well-formed simulated key claims, None for everything else."""
    for kind, prefix in _PREFIXES.items():
        if text.startswith(prefix):
            slug, _, tail = text[len(prefix) :].rpartition("-")
            slug, _, serial = slug.rpartition("-")
            if slug and serial.isdecimal() and tail and text == key_text(slug, kind, int(serial)):
                return KeyShape(kind, slug, int(serial))
    return None
