"""Numbers that look random and depend on nothing but their name, so that call order never changes the world."""

from __future__ import annotations

from hashlib import blake2b

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Draws:
    """Sixteen independent numbers drawn from one name; the same key and name give the same numbers everywhere."""

    __slots__ = ("_bytes",)

    def __init__(self, key: bytes, *name: str) -> None:
        self._bytes = blake2b("\x1f".join(name).encode(), key=key, digest_size=64).digest()

    def number(self, index: int) -> int:
        """Return draw `index` (0..15) as an integer from 0 to 2**32 - 1."""
        return int.from_bytes(self._bytes[index * 4 : index * 4 + 4], "big")

    def between(self, index: int, low: int, high: int) -> int:
        """Return draw `index` as an integer from `low` to `high`, both included."""
        return low + self.number(index) * (high - low + 1) // 2**32

    def happens(self, index: int, permille: int) -> bool:
        """Say whether an event of that probability happens."""
        return self.between(index, 0, 999) < permille

    def identifier(self, length: int = 22) -> str:
        """Return an opaque identifier in the alphabet Anthropic's ids use."""
        number, letters = int.from_bytes(self._bytes, "big"), []
        for _ in range(length):
            number, place = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[place])
        return "".join(letters)


def derive_key(*name: str) -> bytes:
    """Return a key for draws that belong to one thing, such as one organisation of one seed."""
    return blake2b("\x1f".join(name).encode(), digest_size=32).digest()
