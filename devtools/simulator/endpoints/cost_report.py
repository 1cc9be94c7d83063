"""GET /v1/organizations/cost_report: the classic daily cost report with its four groupings, paged by whole days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from devtools.simulator.clock import day_text
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.parameters import Parameters
from devtools.simulator.wire import ApiError
from devtools.simulator.world.money import cents_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.world.costs import CostRow

_SCALARS = frozenset({"starting_at", "ending_at", "bucket_width", "limit", "page"})
_LISTS = frozenset({"group_by"})
_GROUPS = ("workspace_id", "description")
_DESCRIBED = (
    "cost_type",
    "description",
    "model",
    "token_type",
    "service_tier",
    "context_window",
    "inference_geo",
)
# The order of these values is the order of the fields in a result.
_Group = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class _Window:
    """The days a query covers: `first` inclusive, `last` exclusive."""

    first: date
    last: date


def cost_report(call: Call) -> Answer:
    """Answer with one page of daily buckets, oldest first, empty days included."""
    parameters = Parameters.read(call.request.pairs(), _SCALARS, _LISTS)
    parameters.choice("bucket_width", ("1d",))
    groups = parameters.choices("group_by", _GROUPS)
    limit = parameters.integer("limit", default=7, low=1, high=31)
    window = _read_window(parameters, call.world.today())
    question = f"{call.organisation.id} cost_report {parameters.canonical()}"
    token = parameters.scalars.get("page")
    if token is not None:
        # The default end is part of the position: a query that began before midnight keeps its days after it.
        first, last = call.cursors.read(question, token).split("/")
        window = _Window(date.fromisoformat(first), date.fromisoformat(last))
    own_token = token or call.cursors.issue(question, f"{window.first}/{window.last}")
    stop = date.fromordinal(min(window.last.toordinal(), window.first.toordinal() + limit))
    days = [window.first + timedelta(days=offset) for offset in range((stop - window.first).days)]
    has_more = stop < window.last
    document = {
        "data": [_bucket(day, call.world.rows(call.organisation, day), groups) for day in days],
        "has_more": has_more,
        "next_page": call.cursors.issue(question, f"{stop}/{window.last}") if has_more else None,
    }
    return Answer(document, own_token)


def _read_window(parameters: Parameters, today: date) -> _Window:
    starting_at = parameters.instant("starting_at")
    if starting_at is None:
        raise ApiError(400, "starting_at: Field required")
    ending_at = parameters.instant("ending_at") or datetime.combine(today, time(), UTC)
    if ending_at <= starting_at:
        raise ApiError(400, "Invalid date range: ending date must be after starting date")
    # Both snap down to midnight: only buckets that end at or before `ending_at` are reported.
    return _Window(starting_at.date(), max(starting_at.date(), ending_at.date()))


def _bucket(day: date, rows: Iterable[CostRow], groups: frozenset[str]) -> dict[str, Any]:
    sums: dict[_Group, int] = {}
    by_workspace, by_description = "workspace_id" in groups, "description" in groups
    for row in rows:
        key = row.key
        described: _Group = (
            tuple(getattr(key, name) for name in _DESCRIBED) if by_description else (None,) * len(_DESCRIBED)
        )
        group = (*described, key.workspace_id if by_workspace else None)
        sums[group] = sums.get(group, 0) + row.units
    return {
        "starting_at": day_text(day),
        "ending_at": day_text(day + timedelta(days=1)),
        "results": [_result(group, units) for group, units in sums.items()],
    }


def _result(group: _Group, units: int) -> dict[str, Any]:
    return {
        "amount": cents_text(units),
        "currency": "USD",
        **dict(zip((*_DESCRIBED, "workspace_id"), group, strict=True)),
    }
