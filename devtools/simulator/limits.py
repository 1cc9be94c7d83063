"""An optional rate limit that the simulator enforces with 429 and retry-after; off until the control interface sets it."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

_NS_PER_MINUTE = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Limit:
    """Sustained requests per minute and how many may come at once."""

    per_minute: float
    burst: int


class Limits:
    """One virtual-schedule bucket per organisation; an organisation's own limit goes before the common one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._common: Limit | None = None
        self._own: dict[str, Limit] = {}
        # The moment (monotonic nanoseconds) at which an organisation's bucket will be full again.
        self._full_at: dict[str, int] = {}

    def set(self, organisation: str | None, limit: Limit | None) -> None:
        """Set or lift a limit, for one organisation or for all without their own; buckets start full."""
        with self._lock:
            if organisation is None:
                self._common = limit
            elif limit is None:
                self._own.pop(organisation, None)
            else:
                self._own[organisation] = limit
            self._full_at.clear()

    def wait_seconds(self, organisation: str, now_ns: int) -> int:
        """Count a request; 0 when it is permitted, otherwise whole seconds until one will be."""
        with self._lock:
            limit = self._own.get(organisation, self._common)
            if limit is None:
                return 0
            interval = int(_NS_PER_MINUTE / limit.per_minute)
            full_at = max(self._full_at.get(organisation, now_ns), now_ns) + interval
            excess = full_at - now_ns - limit.burst * interval
            if excess > 0:
                return -(-excess // 10**9)
            self._full_at[organisation] = full_at
        return 0
