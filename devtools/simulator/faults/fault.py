"""One ordered fault and the options its kind may read; decides nothing about when it strikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from socket import socket

    from devtools.simulator.endpoints.call import Answer
    from devtools.simulator.wire import Request, Response


@dataclass(frozen=True, slots=True)
class Options:
    """The extra fields of an order, read with the type each kind expects."""

    given: dict[str, Any] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        """Return a number; raises ValueError for anything else."""
        value = self.given.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} must be a number")  # noqa: TRY004 — the control interface answers ValueError with 400
        return value

    def whole(self, name: str, default: int) -> int:
        """Return a whole number."""
        return int(self.number(name, default))

    def text(self, name: str, default: str) -> str:
        """Return a text; numbers are taken as written."""
        return str(self.given.get(name, default))

    def flag(self, name: str) -> bool:
        """Say whether an option is set."""
        return bool(self.given.get(name))


@dataclass(frozen=True, slots=True)
class Struck:
    """The request that a fault strikes, as the acting functions see it."""

    request: Request
    request_id: str
    options: Options

    def has_cursor(self) -> bool:
        """Say whether the request follows a page token."""
        return any(name == "page" for name, _ in self.request.pairs())


# Where a fault acts, in the order of a request's way: instead of the answer, on its document (False: nothing there
# to spoil, so the fault is not used up), on the finished response, or on the bytes while they are sent (False: the
# connection must be closed).
Reply: TypeAlias = Callable[[Struck], "Response"]
Spoil: TypeAlias = Callable[["Answer", Struck], bool]
Alter: TypeAlias = Callable[["Response", Struck], bool]
Deliver: TypeAlias = Callable[["socket", bytes, Options], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to fail: exactly one of the four actions, the options it reads, and which requests it can strike."""

    reply: Reply | None = None
    spoil: Spoil | None = None
    alter: Alter | None = None
    deliver: Deliver | None = None
    options: tuple[str, ...] = ()
    needs_cursor: bool = False
    # Whether a delivery brings the whole answer in the end.
    arrives: bool = False

    @property
    def needs_report(self) -> bool:
        """Say whether only answers with amounts can be struck."""
        return self.spoil is not None
