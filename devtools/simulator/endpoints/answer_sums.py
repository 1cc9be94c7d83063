"""Adding up charges and usage_slices over time buckets and groups, for every report of the analytics family."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from devtools.simulator.endpoints.dimensions import Filters, Group, list_groups
from devtools.simulator.endpoints.usage_fields import analytics_fields
from devtools.simulator.world.money import cents_text
from devtools.simulator.world.usage_slices import QUANTITIES, REQUESTS, WEB_SEARCHES, count_usage_slices

if TYPE_CHECKING:
    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.endpoints.ranges import Range

# A bucket's two bounds and the values of the dimensions grouped by.
Key = tuple[datetime, datetime, Group]
# The names among cost_type and token_type that are grouped by.
Fan = tuple[str, ...]
_RANKED_COUNTS = {"uncached_input_tokens": 0, "output_tokens": 1, "requests": REQUESTS}


@dataclass(frozen=True, slots=True)
class Breakdown:
    """What is added up: over which range, by which dimensions and types, and of which rows."""

    range: Range
    groups: tuple[str, ...]
    fans: Fan
    filters: Filters


@dataclass(slots=True)
class CostTally:
    """The amounts of one group, apart by type, in units after and before discount, and its requests."""

    parts: dict[Group, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    requests: int = 0

    def rank(self, order_by: str) -> int:
        """Return what to order by."""
        place = 1 if order_by == "list_amount" else 0
        return sum(units[place] for units in self.parts.values())

    def describe(self, fans: Fan) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return the types and the amounts of each part."""
        return [
            (
                dict(zip(fans, values, strict=True)),
                {
                    "amount": cents_text(units),
                    "list_amount": cents_text(list_units),
                    "currency": "USD",
                    "requests": None if fans else self.requests,
                },
            )
            for values, (units, list_units) in self.parts.items()
        ]


@dataclass(slots=True)
class UsageTally:
    """The counts of one group, in the order of `QUANTITIES`."""

    counts: list[int] = field(default_factory=lambda: [0] * len(QUANTITIES))

    def rank(self, order_by: str) -> int:
        """Return what to order by."""
        place = _RANKED_COUNTS.get(order_by)
        return sum(self.counts[:WEB_SEARCHES]) if place is None else self.counts[place]

    def describe(self) -> dict[str, Any]:
        """Return the counts as the reports write them."""
        return analytics_fields(self.counts)


def tally_cost(call: Call, asked: Breakdown) -> dict[Key, CostTally]:
    """Return the amounts of every bucket and group that has any."""
    found: dict[Key, CostTally] = defaultdict(CostTally)
    for day, pieces in groupby(asked.range.pieces(), key=lambda piece: piece.day):
        arrival = call.world.arrival(call.organisation, day)
        # Grouping by token type alone leaves out what is no tokens: that is how the provider's text reads.
        charges = [
            (
                charge,
                tuple(getattr(charge, fan) for fan in asked.fans),
                list_groups(charge.identity, asked.groups, asked.filters),
            )
            for charge in call.world.charges(call.organisation, day)
            if (asked.fans != ("token_type",) or charge.token_type is not None)
            and asked.filters.passes(charge.identity)
        ]
        for piece in pieces:
            for charge, fan, groups in charges:
                units, list_units = charge.between(arrival, piece.minutes)
                requests = charge.count_requests(arrival, piece.minutes)
                if not (units or list_units or requests):
                    continue
                for group in groups:
                    tally = found[piece.starting_at, piece.ending_at, group]
                    tally.requests += requests
                    sums = tally.parts[fan]
                    sums[0] += units
                    sums[1] += list_units
    return dict(found)


def tally_usage(call: Call, asked: Breakdown) -> dict[Key, UsageTally]:
    """Return the counts of every bucket and group that has any."""
    found: dict[Key, UsageTally] = defaultdict(UsageTally)
    for day, pieces in groupby(asked.range.pieces(), key=lambda piece: piece.day):
        arrival = call.world.arrival(call.organisation, day)
        usage_slices = tuple(
            usage_slice
            for usage_slice in call.world.usage_slices(call.organisation, day)
            if asked.filters.passes(usage_slice.identity)
        )
        for piece in pieces:
            for usage_slice, counts in count_usage_slices(usage_slices, arrival, piece.minutes):
                for group in list_groups(usage_slice.identity, asked.groups, asked.filters):
                    sums = found[piece.starting_at, piece.ending_at, group].counts
                    for place, count in enumerate(counts):
                        sums[place] += count
    return dict(found)
