"""What arrived and when, in bounded memory, and the judgement whether it kept to a rate; never holds a whole key."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from fractions import Fraction

    from .wire import Request

KEPT_ENTRIES = 200_000
_NS_PER_MINUTE = 60 * 10**9


@dataclass(slots=True)
class Entry:
    """One request; `status` stays None until it is answered, and for ever when the connection is cut instead."""

    seq: int
    arrived_ns: int
    arrived_at: datetime
    organisation: str | None
    path: str
    query: str
    key_hint: str
    request_id: str
    status: int | None = None
    fault: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return the entry as the control interface shows it."""
        return {
            "seq": self.seq,
            "monotonic_ns": self.arrived_ns,
            "at": self.arrived_at.isoformat(),
            "organisation": self.organisation,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "key_hint": self.key_hint,
            "request_id": self.request_id,
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True)
class Rate:
    """A permitted rate: `per_minute` sustained and `burst` at once."""

    per_minute: Fraction
    burst: Fraction


class RequestLog:
    """Keeps the newest entries; numbers go on over a clear, so a reader's place stays valid."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._lock = Lock()
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._seq = 0

    def open(self, request: Request, organisation: str | None, now: datetime) -> Entry:
        """Record an arrival and give it its request id."""
        key = request.headers.get("x-api-key", "")
        with self._lock:
            self._seq += 1
            request_id = f"req_01Sim{self._nonce}{self._seq:08d}"
            entry = Entry(
                self._seq,
                request.arrived_ns,
                now,
                organisation,
                request.path,
                request.query,
                key[-4:],
                request_id,
            )
            self._entries.append(entry)
        return entry

    def clear(self) -> int:
        """Forget all entries and return how many there were."""
        with self._lock:
            count = len(self._entries)
            self._entries.clear()
        return count

    def list_since(self, seq: int, organisation: str | None) -> list[Entry]:
        """Return entries after `seq`, oldest first, of one organisation or of all."""
        with self._lock:
            first = self._entries[0].seq if self._entries else 0
            entries = list(islice(self._entries, max(0, seq + 1 - first), None))
        return [entry for entry in entries if organisation is None or entry.organisation == organisation]


def worst_excess(entries: Iterable[Entry], rate: Rate) -> dict[str, Any]:
    """Say by how many requests the worst interval of one organisation's log exceeds `burst + rate * length`.

    The interval's ends are arrivals and both are counted; one pass is enough because the excess of an interval is a
    difference of two terms, one per end.
    """
    ordered = sorted(entries, key=lambda entry: entry.arrived_ns)
    if not ordered:
        return {"ok": True, "excess": 0.0, "requests": 0, "worst": None}
    per_ns = rate.per_minute / _NS_PER_MINUTE
    lowest: tuple[Fraction, int] | None = None
    worst: tuple[Fraction, int, int] | None = None
    for place, entry in enumerate(ordered):
        level = place - per_ns * entry.arrived_ns
        if lowest is None or level < lowest[0]:
            lowest = (level, place)
        excess = level + 1 - lowest[0] - rate.burst
        if worst is None or excess > worst[0]:
            worst = (excess, lowest[1], place)
    assert worst is not None  # noqa: S101 — the list is not empty
    excess, start, end = worst
    first, last = ordered[start], ordered[end]
    return {
        "ok": excess <= 0,
        "excess": float(excess),
        "requests": len(ordered),
        "worst": {
            "from_seq": first.seq,
            "to_seq": last.seq,
            "requests": end - start + 1,
            "seconds": (last.arrived_ns - first.arrived_ns) / 1e9,
        },
    }
