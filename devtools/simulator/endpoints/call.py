"""What an endpoint is given and what it gives back; the vocabulary shared by all endpoint families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devtools.simulator.cursors import Cursors
    from devtools.simulator.recent import Recent
    from devtools.simulator.wire import Request
    from devtools.simulator.world.organisations import Organisation
    from devtools.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request: the key is valid and has the scope, the headers are right."""

    request: Request
    organisation: Organisation
    world: World
    cursors: Cursors
    recent: Recent
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A document to send; `own_token` is the cursor that leads to this same page, on paged reports."""

    document: dict[str, Any]
    own_token: str | None = None
