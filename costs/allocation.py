"""Share one billed amount among keys and people so that the parts add up to it to the last digit; pure, exact."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from costs.records import UNATTRIBUTED, CostRecord
from costs.sources import ALLOCATED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Amounts are shared in units no coarser than this, a ten-thousandth of a cent's thousandth.
_COARSEST_EXPONENT = -10
# Which tokens pay for which billed kind.
_COUNTED_AS: Mapping[str, str] = {
    "uncached_input_tokens": "uncached_input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
}
SEARCHES = "web_search_requests"
# How usage names the calls of a tool that this version does not know: server_tool_use.web_fetch_requests.
_TOOLS = "server_tool_use."


@dataclass(frozen=True, slots=True, order=True)
class Who:
    """Through which key and by whom; empty text stands for null, so that it can be sorted."""

    api_key_id: str = ""
    actor_type: str = ""
    actor_id: str = ""


# A cell of the bill that usage can tell apart: workspace, model, tier, and what is counted.
Cell = tuple[str | None, str | None, str | None, str]
Weights = dict[Cell, dict[Who, int]]


def cell_of(row: CostRecord, default_workspace: str | None) -> Cell | None:
    """Return the cell of usage that a billed row is paid for by; None when usage does not count such a thing."""
    workspace = None if row.workspace_id == default_workspace else row.workspace_id
    if row.token_type:
        # A kind of tokens that this version does not know is counted under the name it is billed by.
        counted = _COUNTED_AS.get(row.token_type, row.token_type)
        return workspace, row.model, row.service_tier, counted
    if row.cost_type in {None, "tokens"}:
        return None
    # Calls of a tool are billed without a model and a tier, and counted with them.
    return workspace, None, None, _calls_of(row.cost_type)


def cell_of_count(workspace: str | None, model: str | None, tier: str | None, counted: str) -> Cell:
    """Return the cell that a count of usage pays for: a kind of tokens by model and tier, calls of a tool without."""
    is_tool = counted == SEARCHES or counted.startswith(_TOOLS)
    return (workspace, None, None, counted) if is_tool else (workspace, model, tier, counted)


def _calls_of(cost_type: str) -> str:
    return SEARCHES if cost_type == "web_search" else f"{_TOOLS}{cost_type}_requests"


def allocate(
    rows: Iterable[CostRecord], weights: Weights, *, method: str, default_workspace: str | None
) -> list[CostRecord]:
    """
    Share every billed row by the weights of its cell.

    Shape:   1 row -> 1..n rows of the source `allocated` with key and person, and the method in `attribution`; a
             row whose cell nobody used is kept whole as unattributed
    Units:   USD; the parts of a row, and so of a day, add up to it exactly (largest remainder; equal remainders
             go by id)
    """
    shared: list[CostRecord] = []
    for row in rows:
        cell = cell_of(row, default_workspace)
        shares = weights.get(cell, {}) if cell else {}
        if not sum(shares.values()):
            shared.append(replace(row, source=ALLOCATED, attribution=UNATTRIBUTED, list_amount_usd=None))
            continue
        amounts = share(row.amount_usd, list(shares.values()))
        shared += [
            replace(
                row, source=ALLOCATED, attribution=method, amount_usd=amount, list_amount_usd=None,
                api_key_id=who.api_key_id or None, actor_type=who.actor_type or None,
                actor_id=who.actor_id or None,
            )
            for who, amount in zip(shares, amounts, strict=True)
            if amount
        ]  # fmt: skip
    return shared


def share(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """
    Cut an amount in proportion to weights of zero or more, of which one is positive.

    Shape:   as many parts as weights, in their order; they add up to the amount exactly
    """
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - records hold finite amounts only
    step = Decimal((0, (1,), min(exponent, _COARSEST_EXPONENT)))
    units, total = int((abs(amount) / step).to_integral_exact()), sum(weights)
    parts = [divmod(units * weight, total) for weight in weights]
    left = units - sum(whole for whole, _ in parts)
    # Largest remainder first; among equals the order of the weights, which callers sort by id.
    lucky = set(sorted(range(len(parts)), key=lambda n: (-parts[n][1], n))[:left])
    sign = -1 if amount < 0 else 1
    return [sign * (whole + (n in lucky)) * step for n, (whole, _) in enumerate(parts)]


def add_weight(weights: Weights, cell: Cell, who: Who, amount: int) -> None:
    """Count an amount of a cell for somebody; searches count for their workspace whatever the model."""
    if amount <= 0:
        return
    found = weights.setdefault(cell, defaultdict(int))
    found[who] += amount


def in_order(weights: Weights) -> Weights:
    """Sort everybody by id, so that equal remainders always go to the same."""
    return {cell: dict(sorted(shares.items())) for cell, shares in weights.items()}
