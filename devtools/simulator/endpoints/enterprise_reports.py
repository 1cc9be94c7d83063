"""The four older Enterprise reports: cost and usage of the organisation in buckets, and of its members in rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devtools.simulator.clock import instant_text
from devtools.simulator.endpoints.analytics import position, rank, resume
from devtools.simulator.endpoints.answer_sums import Breakdown, CostTally, UsageTally, tally_cost, tally_usage
from devtools.simulator.endpoints.buckets import WIDTHS, Width
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.endpoints.dimensions import (
    DIMENSIONS,
    Filters,
    check_audience,
    describe_actor,
    is_deleted_user,
    read_filters,
)
from devtools.simulator.endpoints.ranges import Range, read_range, require_end
from devtools.simulator.parameters import Parameters
from devtools.simulator.world.identity import USER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from devtools.simulator.endpoints.answer_sums import Fan, Key
    from devtools.simulator.endpoints.call import Call

_GROUPS = ("claude_tag_category", "claude_tag_user_id", "context_window", "inference_geo", "model", "product", "rbac_group_id",
           "slack_channel_id", "speed")  # fmt: skip
_FANS = ("cost_type", "token_type")
_FILTERS = {name: DIMENSIONS[name].filter for name in _GROUPS} | {"actor": "user_ids"}
_SCALARS = frozenset({"starting_at", "ending_at", "bucket_width", "limit", "page"})
_USER_SCALARS = _SCALARS | {"order_by", "order", "exclude_deleted_users"}
# More groups than this in one bucket are left out without a word.
_MAX_GROUPS = 100
_WIDTHS = WIDTHS | {"1m": Width(1, 60, 256)}
# The name that these reports still use for the product.
_OLD_NAMES = {"claude_tag": "claude-tag"}


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells the cost reports from the usage reports."""

    name: str
    fans: Fan
    orders: tuple[str, ...]


_COST = _Kind("cost", _FANS, ("amount", "list_amount"))
_USAGE = _Kind("usage", (), ("total_tokens", "uncached_input_tokens", "output_tokens", "requests"))


def cost_report(call: Call) -> Answer:
    """Answer with a page of buckets of amounts."""
    return _bucketed(call, _COST)


def usage_report(call: Call) -> Answer:
    """Answer with a page of buckets of counts."""
    return _bucketed(call, _USAGE)


def user_cost_report(call: Call) -> Answer:
    """Answer with a page of members and what they cost."""
    return _by_user(call, _COST)


def user_usage_report(call: Call) -> Answer:
    """Answer with a page of members and what they used."""
    return _by_user(call, _USAGE)


def _bucketed(call: Call, kind: _Kind) -> Answer:
    parameters = Parameters.read(call.request.pairs(), _SCALARS, frozenset({"group_by", *_FILTERS.values()}))
    width = _WIDTHS[parameters.choice("bucket_width", tuple(_WIDTHS))]
    asked = _read(call, parameters, kind, parameters.scalars.get("bucket_width", "1d"))
    limit = parameters.integer("limit", default=width.default_limit, low=1, high=width.max_limit)
    question = f"{call.organisation.id} analytics/{kind.name}_report {parameters.canonical()}"
    token = parameters.scalars.get("page")
    asked, offset = resume(call, question, token, asked)
    bounds = list(dict.fromkeys((piece.starting_at, piece.ending_at) for piece in asked.range.pieces()))
    page = bounds[offset : offset + limit]
    has_more = offset + limit < len(bounds)
    by_bucket = _by_bucket(call, kind, asked, page)
    data = [
        {
            "starting_at": instant_text(starting_at),
            "ending_at": instant_text(ending_at),
            "results": by_bucket.get(starting_at, []),
        }
        for starting_at, ending_at in page
    ]
    next_page = (
        call.cursors.issue(question, position(call, asked.range, offset + limit)) if has_more else None
    )
    return Answer(
        _envelope(call, asked.range, data, next_page),
        token or call.cursors.issue(question, position(call, asked.range, 0)),
    )


def _by_bucket(
    call: Call, kind: _Kind, asked: Breakdown, page: list[tuple[datetime, datetime]]
) -> dict[datetime, list[dict[str, Any]]]:
    """Return the results of each bucket of a page, at most a hundred each."""
    if not page or not call.world.has_data(call.organisation, asked.range.first):
        return {}
    shown = Range(max(asked.range.first, page[0][0]), min(asked.range.last, page[-1][1]), asked.range.width)
    narrowed = Breakdown(shown, asked.groups, asked.fans, asked.filters)
    found: dict[datetime, list[dict[str, Any]]] = {}
    for key, sums in rank(_tally(call, kind, narrowed), kind.orders[0], "desc"):
        results = found.setdefault(key[0], [])
        # Types count as groups of their own here, unlike in the newer reports.
        results.extend(list(_rows(asked, key, sums))[: _MAX_GROUPS - len(results)])
    return found


def _by_user(call: Call, kind: _Kind) -> Answer:
    lists = frozenset({"group_by", *_FILTERS.values()})
    parameters = Parameters.read(call.request.pairs(), _USER_SCALARS, lists)
    require_end(parameters, "bucket_width")
    width = parameters.scalars.get("bucket_width")
    width = width if width is None else parameters.choice("bucket_width", tuple(_WIDTHS))
    read = _read(call, parameters, kind, width)
    members = Filters((*read.filters.wanted, ("actor_type", frozenset({USER}))))
    asked = Breakdown(read.range, ("actor", *read.groups), read.fans, members)
    limit = parameters.integer("limit", default=20, low=1, high=1000)
    order_by, order = parameters.choice("order_by", kind.orders), parameters.choice("order", ("desc", "asc"))
    without_deleted = parameters.boolean("exclude_deleted_users")
    question = f"{call.organisation.id} analytics/user_{kind.name}_report {parameters.canonical()}"
    token = parameters.scalars.get("page")
    asked, offset = resume(call, question, token, asked)
    ranked = (
        rank(_tally(call, kind, asked), order_by, order)
        if call.world.has_data(call.organisation, asked.range.first)
        else []
    )
    has_more = offset + limit < len(ranked)
    data = [
        _user_bounds(call, key, width) | row
        for key, sums in ranked[offset : offset + limit]
        if not (without_deleted and is_deleted_user(call, key[2][0]))
        for row in _rows(asked, key, sums)
    ]
    next_page = (
        call.cursors.issue(question, position(call, asked.range, offset + limit)) if has_more else None
    )
    return Answer(
        _envelope(call, asked.range, data, next_page),
        token or call.cursors.issue(question, position(call, asked.range, 0)),
    )


def _read(call: Call, parameters: Parameters, kind: _Kind, width: str | None) -> Breakdown:
    # The filter by product knows the product's old name only.
    lists = {
        name: tuple("claude_tag" if value == "claude-tag" else value for value in values)
        if name == "products"
        else values
        for name, values in parameters.lists.items()
    }
    groups = parameters.choices("group_by", (*_GROUPS, *kind.fans))
    filters = read_filters(Parameters(parameters.scalars, lists), _FILTERS)
    check_audience(call, {*(groups - set(_FANS)), *(name for name, _ in filters.wanted)})
    return Breakdown(
        read_range(parameters, call.world.clock.now(), width),
        tuple(name for name in _GROUPS if name in groups),
        tuple(name for name in kind.fans if name in groups),
        filters,
    )


def _tally(call: Call, kind: _Kind, asked: Breakdown) -> dict[Key, Any]:
    return tally_cost(call, asked) if kind is _COST else tally_usage(call, asked)


def _rows(asked: Breakdown, key: Key, sums: CostTally | UsageTally) -> Iterator[dict[str, Any]]:
    """Yield the flat rows of one group."""
    values = dict(zip(asked.groups, key[2], strict=True))
    values.pop("actor", None)
    dimensions: dict[str, Any] = dict.fromkeys(_GROUPS) | values
    dimensions["product"] = _OLD_NAMES.get(dimensions["product"], dimensions["product"])
    if isinstance(sums, UsageTally):
        yield sums.describe() | dimensions
        return
    for fan, amounts in sums.describe(asked.fans):
        yield amounts | dict.fromkeys(_FANS) | fan | dimensions


def _user_bounds(call: Call, key: Key, width: str | None) -> dict[str, Any]:
    return {
        "actor": describe_actor(call, key[2][0]),
        "starting_at": instant_text(key[0]) if width is not None else None,
        "ending_at": instant_text(key[1]) if width is not None else None,
    }


def _envelope(call: Call, asked: Range, data: list[dict[str, Any]], next_page: str | None) -> dict[str, Any]:
    has_data = call.world.has_data(call.organisation, asked.first)
    return {
        "data": data,
        "has_more": next_page is not None,
        "next_page": next_page,
        "data_refreshed_at": instant_text(call.world.refreshed_at(call.organisation)) if has_data else None,
        "organization_id": f"org_01{call.organisation.id.replace('-', '')[:22]}",
    }
