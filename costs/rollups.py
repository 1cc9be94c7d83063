"""Which sums of each day are kept beside the facts, and which of them answers a question; reads and writes nothing.

A grain is a set of dimensions by which the database itself sums the facts of a day, in the statement that changes
them (migration 0006). A question whose dimensions all lie in one grain is answered from its sums, any other one from
the facts: the amounts are the same to the last digit, the sums are fewer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Model

from costs.models import DailyCost, DailyUsage

# Every sum has these beside the dimensions of its grain.
_ALWAYS = frozenset({"connection", "cost_center", "origin", "source"})


@dataclass(frozen=True, slots=True)
class Sums:
    """
    A table of sums.

    Shape:   `dimensions` are its columns in the order in which the database numbers them; `grains` are tried in
             their order, so the smallest stand first
    """

    table: type[Model]
    dimensions: Sequence[str]
    grains: Sequence[Sequence[str]]

    def find_grain(self, dimensions: Collection[str]) -> int | None:
        """Return the number of the first grain that has the dimensions; None when only the facts have them."""
        asked = set(dimensions) - _ALWAYS
        return next((self.number(grain) for grain in self.grains if asked <= set(grain)), None)

    def number(self, grain: Sequence[str]) -> int:
        """Return how the database marks the sums of a grain: GROUPING() sets a bit for each column that is summed away."""
        last = len(self.dimensions) - 1
        return sum(1 << (last - place) for place, name in enumerate(self.dimensions) if name not in grain)


COST_SUMS = Sums(
    DailyCost,
    (
        "workspace_id", "api_key_id", "actor_type", "actor_id", "product", "model", "token_type", "cost_type",
        "service_tier", "context_window", "inference_geo", "speed", "attribution",
    ),
    (
        ("model",),
        ("workspace_id",),
        ("api_key_id", "attribution"),
        ("actor_type", "actor_id", "attribution"),
        ("model", "service_tier", "token_type", "cost_type"),
        ("workspace_id", "model"),
        ("api_key_id", "workspace_id", "model", "attribution"),
        ("product", "model", "service_tier", "context_window", "inference_geo", "speed"),
        ("actor_type", "actor_id", "workspace_id", "product", "model", "attribution"),
    ),
)  # fmt: skip
USAGE_SUMS = Sums(
    DailyUsage,
    (
        "workspace_id", "api_key_id", "actor_type", "actor_id", "product", "model", "service_tier", "context_window",
        "inference_geo", "speed",
    ),
    (
        ("model", "service_tier"),
        ("workspace_id",),
        ("workspace_id", "model"),
        ("api_key_id", "workspace_id", "model"),
        ("product", "model", "service_tier", "context_window", "inference_geo", "speed"),
        ("actor_type", "actor_id", "workspace_id", "product", "model"),
    ),
)  # fmt: skip
