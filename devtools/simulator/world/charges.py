"""Whose money it is: a day's billed rows, edits included, divided among the usage_slices of usage that caused them; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .arrival import MINUTES_PER_DAY, Arrival, Curve
from .identity import Identity
from .organisations import LARGE, MEDIUM
from .usage_slices import REQUESTS, WEB_SEARCHES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .costs import CostKey, CostRow
    from .organisations import Organisation
    from .usage_slices import ToolUse, UsageSlice

# Negotiated discounts in permille: what reports call the amount is after it, the list amount before it.
_CONSOLE_DISCOUNTS = {MEDIUM: 50, LARGE: 100}
_ENTERPRISE_DISCOUNTS = {MEDIUM: 100, LARGE: 200}
# An amount that no usage explains arrives as the day does.
_UNEXPLAINED = Curve(10**6)


@dataclass(frozen=True, slots=True)
class Charge:
    """One identity's part of one billed row, in money units after and before discount."""

    identity: Identity
    cost_type: str | None
    token_type: str | None
    units: int
    list_units: int
    curve: Curve
    # How many requests (or spans of tool use) the charge stands for; a usage_slice's are on one of its charges only.
    requests: Curve | None = None

    def between(self, arrival: Arrival, minutes: tuple[int, int] = (0, MINUTES_PER_DAY)) -> tuple[int, int]:
        """Return both amounts between two minutes of the day; all minutes together are the whole."""
        start, stop = minutes
        if not start and stop >= MINUTES_PER_DAY:
            return self.units, self.list_units
        whole = self.curve.at(arrival) or 1
        low, high = self.curve.at(arrival, start), self.curve.at(arrival, stop)
        return (
            self.units * high // whole - self.units * low // whole,
            self.list_units * high // whole - self.list_units * low // whole,
        )

    def count_requests(self, arrival: Arrival, minutes: tuple[int, int] = (0, MINUTES_PER_DAY)) -> int:
        """Return the requests between two minutes of the day."""
        if self.requests is None:
            return 0
        return self.requests.at(arrival, minutes[1]) - self.requests.at(arrival, minutes[0])


@dataclass(slots=True)
class _Holder:
    """One part of a billed cell: who has it, how it grows, and its requests until a charge has taken them."""

    identity: Identity
    curve: Curve
    requests: list[Curve]


def divide(
    organisation: Organisation,
    rows: Iterable[CostRow],
    usage_slices: tuple[tuple[UsageSlice, ...], tuple[ToolUse, ...]],
    arrival: Arrival,
) -> tuple[Charge, ...]:
    """Return the charges of a day; their amounts add up to its rows exactly, however these were edited."""
    holders = _list_holders(*usage_slices, arrival)
    charges: list[Charge] = []
    for row in rows:
        parts = holders.get(row.key)
        if parts is None:
            charges.append(_unexplained(organisation, row))
            continue
        counts = [part.curve.at(arrival) for part in parts]
        total, reached, spent = sum(counts), 0, 0
        for part, count in zip(parts, counts, strict=True):
            reached += count
            upto = row.units * reached // total
            requests = part.requests.pop() if part.requests else None
            units, spent = upto - spent, upto
            charges.append(
                Charge(
                    part.identity,
                    row.key.cost_type,
                    row.key.token_type,
                    units,
                    _list_price(organisation, units),
                    part.curve,
                    requests,
                )
            )
    return tuple(charges)


def _list_holders(
    usage_slices: tuple[UsageSlice, ...], tools: tuple[ToolUse, ...], arrival: Arrival
) -> dict[CostKey, list[_Holder]]:
    found: dict[CostKey, list[_Holder]] = {}
    for usage_slice in usage_slices:
        requests = [usage_slice.curve(REQUESTS)]
        for place, cell in enumerate(usage_slice.cells):
            curve = usage_slice.curve(place)
            if cell is None or not curve.at(arrival):
                continue
            identity = usage_slice.identity if place < WEB_SEARCHES else _searching(usage_slice.identity)
            found.setdefault(cell, []).append(
                _Holder(identity, curve, requests if place < WEB_SEARCHES else [])
            )
    for tool in tools:
        if tool.seconds.at(arrival):
            found.setdefault(tool.cell, []).append(_Holder(tool.identity, tool.seconds, [tool.spans]))
    return found


def _searching(identity: Identity) -> Identity:
    """Return who searched: a search has no model and none of a model's properties."""
    return replace(
        identity, model=None, service_tier=None, context_window=None, inference_geo=None, speed=None
    )


def _unexplained(organisation: Organisation, row: CostRow) -> Charge:
    """Return the charge of an amount that no usage explains, with what its row says about it."""
    key = row.key
    default = organisation.workspaces[0].id if organisation.workspaces else None
    identity = Identity(
        workspace_id=key.workspace_id or default,
        report_workspace_id=key.workspace_id,
        model=key.model,
        service_tier=key.service_tier,
        context_window=key.context_window,
        inference_geo=key.inference_geo,
    )
    list_units = _list_price(organisation, row.units)
    return Charge(identity, key.cost_type, key.token_type, row.units, list_units, _UNEXPLAINED)


def _list_price(organisation: Organisation, units: int) -> int:
    discounts = _ENTERPRISE_DISCOUNTS if organisation.is_enterprise else _CONSOLE_DISCOUNTS
    return units * 1000 // (1000 - discounts.get(organisation.size, 0))
