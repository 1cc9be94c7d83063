"""Gives every series its colour: a slot of the palette in the style sheet, drawn from a stable hash of its key."""

import hashlib
from collections.abc import Iterable

SLOTS = 12
OTHER = "other"


def colours(keys: Iterable[str]) -> dict[str, str]:
    """
    Assign a slot (`1` to `12`) to each key: its own, or the next free one where two of them draw the same.

    Key:     the same keys in any order get the same slots; more keys than slots share
    """
    slots: dict[str, str] = {}
    taken: set[int] = set()
    for key in sorted(keys):
        slot = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest()) % SLOTS
        while slot in taken and len(taken) < SLOTS:
            slot = (slot + 1) % SLOTS
        taken.add(slot)
        slots[key] = str(slot + 1)
    return slots


def colour_key(key: tuple[str | None, ...]) -> str:
    """Return what a group's colour is drawn from: a model has the same one on every page."""
    return " · ".join(value or "" for value in key)
