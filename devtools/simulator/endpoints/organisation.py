"""GET /v1/organizations/me: which organisation a key belongs to (facts sheet: names and reference data)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devtools.simulator.endpoints.call import Answer
from devtools.simulator.parameters import Parameters

if TYPE_CHECKING:
    from devtools.simulator.endpoints.call import Call


def me(call: Call) -> Answer:
    """Answer with the organisation's id, name and type."""
    Parameters.read(call.request.pairs(), frozenset(), frozenset())
    organisation = call.organisation
    return Answer({"id": organisation.id, "type": "organization", "name": organisation.name})
