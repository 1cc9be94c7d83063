"""Which faults are ordered and which request they strike; counts uses, acts on nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from devtools.simulator.world.draws import Draws, derive_key

from .fault import Kind, Options
from .kinds import KINDS

if TYPE_CHECKING:
    from devtools.simulator.wire import Request

_COMMON = ("organisation", "path", "query", "kind", "times", "after", "permille")


@dataclass(slots=True)
class Order:
    """One ordered fault: strikes `times` matching requests (-1: all) once `after` of them have passed.

    With `permille` it strikes only that share of them, drawn by their number, so a run can be repeated.
    """

    id: int
    kind: str
    organisation: str | None = None
    path: str | None = None
    # A part of the query as it is sent, to strike one window of a report and no other.
    query: str | None = None
    times: int = 1
    after: int = 0
    permille: int = 1000
    options: Options = field(default_factory=Options)
    seen: int = 0
    struck: int = 0

    def matches(self, request: Request, organisation: str | None, *, is_report: bool) -> bool:
        """Say whether the request is one of those the order is about."""
        kind = KINDS[self.kind]
        return (
            (self.organisation is None or self.organisation == organisation)
            and (self.path is None or _is_at(request.path, self.path))
            and (self.query is None or self.query in request.query)
            and (is_report or not kind.needs_report)
            and (not kind.needs_cursor or any(name == "page" for name, _ in request.pairs()))
        )


class Faults:
    """The orders of one simulator, oldest first; the first that wants a request gets it."""

    def __init__(self, seed: int) -> None:
        self._key = derive_key("faults", str(seed))
        self._lock = Lock()
        self._orders: tuple[Order, ...] = ()
        self._ordered = 0

    def add(self, fields: dict[str, Any], organisation: str | None) -> Order:
        """Order a fault; `organisation` is the resolved id. Raises ValueError for an unknown kind or field."""
        kind = KINDS.get(str(fields.get("kind")))
        if kind is None:
            raise ValueError(f"no such kind of fault: {fields.get('kind')}")
        given = {name: value for name, value in fields.items() if name not in _COMMON}
        if set(given) - set(kind.options):
            raise ValueError(
                f"{fields['kind']} reads {list(kind.options)}, not {sorted(set(given) - set(kind.options))}"
            )
        counts = Options(fields)
        with self._lock:
            self._ordered += 1
            order = Order(
                self._ordered,
                str(fields["kind"]),
                organisation,
                fields.get("path"),
                fields.get("query"),
                counts.whole("times", 1),
                counts.whole("after", 0),
                counts.whole("permille", 1000),
                Options(given),
            )
            self._orders = (*self._orders, order)
        return order

    def clear(self) -> int:
        """Forget all orders and return how many there were."""
        with self._lock:
            count, self._orders = len(self._orders), ()
        return count

    def describe(self) -> list[dict[str, Any]]:
        """Return every order with how often it has struck."""
        return [asdict(order) for order in self._orders]

    def take(
        self, request: Request, organisation: str | None, *, is_report: bool
    ) -> tuple[Order, Kind] | None:
        """Return the order that strikes this request and count the use, None when the request goes through."""
        if not self._orders:
            return None
        with self._lock:
            for order in self._orders:
                if order.times == 0 or not order.matches(request, organisation, is_report=is_report):
                    continue
                order.seen += 1
                draws = Draws(self._key, str(order.id), str(order.seen))
                if order.seen <= order.after or not draws.happens(0, order.permille):
                    continue
                order.times -= 1 if order.times > 0 else 0
                order.struck += 1
                return order, KINDS[order.kind]
        return None

    def give_back(self, order: Order) -> None:
        """Undo a use: the answer had nothing the fault could spoil."""
        with self._lock:
            order.times += 1 if order.times >= 0 else 0
            order.struck -= 1


def _is_at(path: str, part: str) -> bool:
    """Say whether a request goes to a part of a path; a part with a dollar at its end is the end of it."""
    return path.endswith(part[:-1]) if part.endswith("$") else part in path
