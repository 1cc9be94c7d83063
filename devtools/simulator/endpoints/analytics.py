"""GET /v1/organizations/analytics/cost and /usage: the newer reports, for Console and Enterprise organisations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from devtools.simulator.clock import instant_text
from devtools.simulator.cursors import EXPIRED
from devtools.simulator.endpoints.answer_sums import Breakdown, UsageTally, tally_cost, tally_usage
from devtools.simulator.endpoints.buckets import WIDTHS
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.endpoints.dimensions import (
    DIMENSIONS,
    FILTERS,
    check_audience,
    describe_value,
    is_deleted_user,
    read_filters,
)
from devtools.simulator.endpoints.ranges import read_range, require_end
from devtools.simulator.endpoints.usage_report import check_group_count
from devtools.simulator.parameters import Parameters
from devtools.simulator.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from devtools.simulator.endpoints.answer_sums import CostTally, Key
    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.endpoints.ranges import Range

_SCALARS = frozenset(
    {
        "starting_at",
        "ending_at",
        "time_bucket_width",
        "limit",
        "page",
        "order",
        "order_by",
        "exclude_deleted_users",
    }
)
_FANS = ("cost_type", "token_type")
_COST_ORDERS = ("amount", "list_amount", "time")
_USAGE_ORDERS = ("total_tokens", "uncached_input_tokens", "output_tokens", "requests", "time")

_Tally: TypeAlias = "Callable[[Call, Breakdown], dict[Key, Any]]"


@dataclass(frozen=True, slots=True)
class Query:
    """One question, read and checked."""

    breakdown: Breakdown
    limit: int
    order: str
    order_by: str
    exclude_deleted: bool


def cost(call: Call) -> Answer:
    """Answer with one page of amounts after and before discount."""
    return _answer(call, "cost", _COST_ORDERS, tally_cost)


def usage(call: Call) -> Answer:
    """Answer with one page of token counts."""
    return _answer(call, "usage", _USAGE_ORDERS, tally_usage)


def _answer(call: Call, name: str, orders: tuple[str, ...], tally: _Tally) -> Answer:
    parameters = Parameters.read(call.request.pairs(), _SCALARS, FILTERS | {"group_by"})
    query = _read_query(call, parameters, orders, _FANS if name == "cost" else ())
    question = f"{call.organisation.id} analytics/{name} {parameters.canonical()}"
    token = parameters.scalars.get("page")
    breakdown, offset = resume(call, question, token, query.breakdown)
    if not call.world.has_data(call.organisation, breakdown.range.first):
        return Answer({"data": [], "has_more": False, "next_page": None, "data_refreshed_at": None})
    minute = call.world.clock.now().replace(second=0, microsecond=0)
    key = (name, query, breakdown, call.organisation, call.world.snapshot(call.organisation), minute)
    ranked = call.recent.get(key, lambda: rank(tally(call, breakdown), query.order_by, query.order))
    stop = offset + query.limit
    shown = [(found, sums) for found, sums in ranked[offset:stop] if _is_shown(call, query, found)]
    has_more = stop < len(ranked)
    document = {
        "data": [row for found, sums in shown for row in _describe(call, breakdown, found, sums)],
        "has_more": has_more,
        "next_page": call.cursors.issue(question, position(call, breakdown.range, stop))
        if has_more
        else None,
        "data_refreshed_at": instant_text(call.world.refreshed_at(call.organisation)),
    }
    return Answer(document, token or call.cursors.issue(question, position(call, breakdown.range, 0)))


def resume(call: Call, question: str, token: str | None, asked: Breakdown) -> tuple[Breakdown, int]:
    """Return the breakdown over the range its cursor began with, and how many rows came before.

    Raises: ApiError 410 when the data has been refreshed since the cursor was issued, 400 when the query differs.
    """
    if token is None:
        return asked, 0
    snapshot, first, last, offset = call.cursors.read(question, token).split("|")
    if snapshot != call.world.snapshot(call.organisation):
        raise ApiError(410, EXPIRED)
    held = replace(asked.range, first=datetime.fromisoformat(first), last=datetime.fromisoformat(last))
    return replace(asked, range=held), int(offset)


def position(call: Call, held: Range, offset: int) -> str:
    """Return what a cursor must remember: the snapshot, the default end, and how far the reader has come."""
    return (
        f"{call.world.snapshot(call.organisation)}|{held.first.isoformat()}|{held.last.isoformat()}|{offset}"
    )


def _read_query(call: Call, parameters: Parameters, orders: tuple[str, ...], fans: tuple[str, ...]) -> Query:
    groups = parameters.choices("group_by", (*DIMENSIONS, *fans))
    check_group_count(groups, frozenset(fans))
    filters = read_filters(parameters, {name: dimension.filter for name, dimension in DIMENSIONS.items()})
    check_audience(call, {*(groups - set(fans)), *(name for name, _ in filters.wanted)})
    require_end(parameters, "time_bucket_width")
    width = parameters.scalars.get("time_bucket_width")
    if width is not None:
        width = parameters.choice("time_bucket_width", tuple(WIDTHS))
    order_by = parameters.choice("order_by", orders)
    exclude_deleted = parameters.boolean("exclude_deleted_users")
    if exclude_deleted and "actor" not in groups:
        raise ApiError(400, "exclude_deleted_users requires group_by[]=actor")
    breakdown = Breakdown(
        read_range(parameters, call.world.clock.now(), width),
        tuple(name for name in DIMENSIONS if name in groups),
        tuple(name for name in fans if name in groups),
        filters,
    )
    return Query(
        breakdown,
        parameters.integer("limit", default=20, low=1, high=1000),
        parameters.choice("order", ("desc", "asc")),
        # Without buckets there is no time to order by; upstream then falls back to the default.
        orders[0] if order_by == "time" and width is None else order_by,
        exclude_deleted,
    )


def rank(sums: dict[Key, Any], order_by: str, order: str) -> list[tuple[Key, Any]]:
    """Return the rows in their order; equal ones follow their names, so that pages never overlap."""
    found = sorted(sums.items(), key=lambda item: repr(item[0]))
    if order_by == "time":
        return sorted(found, key=lambda item: item[0][0], reverse=order == "desc")
    return sorted(found, key=lambda item: item[1].rank(order_by), reverse=order == "desc")


def _is_shown(call: Call, query: Query, key: Key) -> bool:
    # After the page is cut, as upstream: pages may be short, and the cursor counts the rows left out.
    groups = query.breakdown.groups
    return not (query.exclude_deleted and is_deleted_user(call, key[2][groups.index("actor")]))


def _describe(call: Call, asked: Breakdown, key: Key, sums: CostTally | UsageTally) -> list[dict[str, Any]]:
    starting_at, ending_at, values = key
    bounds = {"starting_at": instant_text(starting_at), "ending_at": instant_text(ending_at)}
    described = {
        name: describe_value(call, name, value) for name, value in zip(asked.groups, values, strict=True)
    }
    group: dict[str, Any] = dict.fromkeys(DIMENSIONS) | described
    if isinstance(sums, UsageTally):
        return [{**bounds, "group": group, "usage": sums.describe()}]
    return [
        {**bounds, "group": dict(sorted((group | dict.fromkeys(_FANS) | fan).items())), "cost": amounts}
        for fan, amounts in sums.describe(asked.fans)
    ]
