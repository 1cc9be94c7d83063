"""
Rooms of the web process: how much of it each kind of request may take, who waits, and who is refused.

Knows no socket and no server. Everything but `People` is used by the one thread that accepts connections.

liveness             answered at the door, without a thread
health               a thread that nothing else can take
pages · API · files  so many at once, so many waiting, and of both no more than a share for one person
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Generic, Literal, TypeVar
from urllib.parse import unquote_to_bytes

Kind = Literal["health", "pages", "api", "files"]
# Everybody whom the product has not recognised yet: they share one share, or invented cookies would be many people.
NOBODY = "nobody"
# A person who is forgotten is recognised again with the next answer.
_MOST_KNOWN = 10_000

# As Django's settings have it; longer ones are refused unread (foundation.request_guards).
MOST_BODY_BYTES = 1_048_576

_LIVE = re.compile(rb"GET (?:https?://[^/ ]*)?/healthz/live(?:\?[^ ]*)? HTTP/1\.[01]\r\n")
# As gunicorn reads it: one empty line before it is none, a method is any token, and an address may begin with its host.
_LINE = re.compile(rb"(?:\r\n)?[^ \r\n]+ (?:[A-Za-z][A-Za-z0-9+.-]*://[^/?# \r\n]*)?(/[^ ?#\r\n]*)")
_TOKEN = re.compile(rb"\r\nauthorization:[ \t]*bearer[ \t]+([^\r\n]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*([0-9]{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_EXPECTS = re.compile(
    rb"[^\r\n]* HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*?expect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE
)
_COOKIE = re.compile(rb"\r\ncookie:(?:[^\r\n]*[;, \t])?sessionid=([^;,\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Size:
    """How many threads a room has and how many may wait for one; a person has at most the shares."""

    threads: int
    share: int
    waiting: int
    share_waiting: int


# Each thread keeps a connection to PostgreSQL.
SIZES: dict[Kind, Size] = {
    "health": Size(threads=1, share=1, waiting=16, share_waiting=16),
    "pages": Size(threads=5, share=3, waiting=64, share_waiting=32),
    "api": Size(threads=4, share=2, waiting=64, share_waiting=32),
    # One more than foundation.streaming has places: it says why there is none. A file takes minutes, so few wait.
    "files": Size(threads=5, share=5, waiting=5, share_waiting=5),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the head of a request says: for which room, and by which secret (as a digest) its sender is known."""

    kind: Kind
    key: bytes | None


def read_head(head: bytes | bytearray) -> Asked:
    """Read the head of a request, which may be any bytes at all."""
    head = head.partition(b"\r\n\r\n")[0]
    line = _LINE.match(head)
    path = unquote_to_bytes(line[1]) if line else b""
    kind = kind_of(path.decode("latin-1"))
    found = (_TOKEN if path.startswith(b"/api/") else _COOKIE).search(head)
    return Asked(kind, key_of(found[1].strip()) if found else None)


def size_of(data: bytes | bytearray) -> int | None:
    """Return how many bytes of a request are to be awaited in all; None while its headers are not whole."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return None
    found = _LENGTH.search(head + b"\r\n")
    length = int(found[1]) if found else 0
    return len(head) + len(end) + (length if length <= MOST_BODY_BYTES else 0)


def expects_to_be_told(data: bytes | bytearray) -> bool:
    """Say whether the client sends its body only when it is told to go on (RFC 9110, 10.1.1)."""
    return _EXPECTS.match(data.partition(b"\r\n\r\n")[0] + b"\r\n") is not None


def is_liveness(head: bytes | bytearray) -> bool:
    """Say whether somebody asks whether the process answers at all."""
    return _LIVE.match(head) is not None


def kind_of(path: str) -> Kind:
    """Say which room answers a path."""
    if path.startswith(("/healthz/", "/metrics")):
        return "health"
    if path.startswith("/api/v1/exports/") or path == "/settings/audit.csv":
        return "files"
    return "api" if path.startswith("/api/") else "pages"


def key_of(secret: bytes) -> bytes:
    """Return what a token or a session is remembered by, which is not the secret itself."""
    return blake2b(secret, digest_size=16).digest()


class People:
    """Who sends which token or session, as the product has found out; written by its threads, read by the door."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}

    def introduce(self, secret: bytes, person: object) -> None:
        """Remember whose token or session this is."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key_of(secret)] = str(person)

    def who(self, key: bytes | None) -> str:
        """Return the person, or NOBODY."""
        return self._known.get(key, NOBODY) if key else NOBODY


people = People()
_T = TypeVar("_T")


@dataclass(slots=True)
class _Waiting(Generic[_T]):
    who: str
    item: _T
    since: float


@dataclass(slots=True)
class Room(Generic[_T]):
    """Who is inside, and who waits, in their order."""

    size: Size
    _inside: Counter[str] = field(default_factory=Counter)
    _waiting: list[_Waiting[_T]] = field(default_factory=list)

    def enter(self, who: str) -> bool:
        """Take a place; False where there is none for this person."""
        if self._inside.total() >= self.size.threads or self._inside[who] >= self.size.share:
            return False
        self._inside[who] += 1
        return True

    def wait(self, who: str, item: _T, now: float) -> bool:
        """Stand in line; False where the line, or this person's share of it, is full."""
        of_theirs = sum(each.who == who for each in self._waiting)
        if len(self._waiting) >= self.size.waiting or of_theirs >= self.size.share_waiting:
            return False
        self._waiting.append(_Waiting(who, item, now))
        return True

    def leave(self, who: str) -> None:
        """Give a place back."""
        self._inside[who] -= 1
        self._inside = +self._inside

    def call(self) -> _T | None:
        """Let the next one in: the first in line of whoever has the fewest inside; None where nobody may come in."""
        for each in sorted(self._waiting, key=lambda one: self._inside[one.who]):
            if self.enter(each.who):
                self._waiting.remove(each)
                return each.item
        return None

    def drop(self, unwanted: Callable[[_T, float], bool]) -> list[_T]:
        """Take out of the line and return those that a look at them and at the time they came says are unwanted."""
        dropped = [each for each in self._waiting if unwanted(each.item, each.since)]
        self._waiting = [each for each in self._waiting if each not in dropped]
        return [each.item for each in dropped]
