"""GET /v1/organizations/usage_report/messages: classic token counts by nine dimensions, paged by whole buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devtools.simulator.clock import instant_text
from devtools.simulator.endpoints.buckets import WIDTHS, cut_page, read_window
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.endpoints.usage_fields import token_fields
from devtools.simulator.parameters import Parameters
from devtools.simulator.wire import ApiError
from devtools.simulator.world.usage_slices import QUANTITIES, REQUESTS, count_usage_slices

if TYPE_CHECKING:
    from devtools.simulator.endpoints.buckets import Bucket
    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.world.identity import Identity

_SCALARS = frozenset({"starting_at", "ending_at", "bucket_width", "limit", "page"})
_TIERS = ("standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount")
_CONTEXTS = ("0-200k", "200k-1M")
_GEOS = ("global", "us", "not_available")
_SPEEDS = ("standard", "fast")
# Each dimension by which rows can be grouped, with the identity's field it is read from.
_GROUPS = {
    "account_id": "account_id",
    "api_key_id": "api_key_id",
    "context_window": "context_window",
    "inference_geo": "inference_geo",
    "model": "model",
    "service_account_id": "service_account_id",
    "service_tier": "service_tier",
    "speed": "speed",
    "workspace_id": "report_workspace_id",
}
# Each filter, the field it looks at, and what it may hold when that is a closed set. The name of the context
# window's filter is in the singular upstream too. The default workspace is found by its real id, since null has none.
_FILTERS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "account_ids": ("account_id", None),
    "api_key_ids": ("api_key_id", None),
    "service_account_ids": ("service_account_id", None),
    "workspace_ids": ("workspace_id", None),
    "models": ("model", None),
    "service_tiers": ("service_tier", _TIERS),
    "context_window": ("context_window", _CONTEXTS),
    "inference_geos": ("inference_geo", _GEOS),
    "speeds": ("speed", _SPEEDS),
}
_MAX_GROUPS = 5
_FAST_BETA = "fast-mode-2026-02-01"

_Filters = tuple[tuple[str, frozenset[str]], ...]


def usage_report(call: Call) -> Answer:
    """Answer with one page of buckets, oldest first, empty ones included."""
    parameters = Parameters.read(call.request.pairs(), _SCALARS, frozenset({"group_by", *_FILTERS}))
    width = WIDTHS[parameters.choice("bucket_width", tuple(WIDTHS))]
    groups = _read_groups(call, parameters)
    filters = _read_filters(parameters)
    limit = parameters.integer("limit", default=width.default_limit, low=1, high=width.max_limit)
    window = read_window(parameters, width, width.snap(call.world.clock.now()))
    question = f"{call.organisation.id} usage_report/messages {parameters.canonical()}"
    page = cut_page(call.cursors, question, parameters.scalars.get("page"), (window, width, limit))
    document = {
        "data": [_describe(call, bucket, groups, filters) for bucket in page.buckets],
        "has_more": page.next_token is not None,
        "next_page": page.next_token,
    }
    return Answer(document, page.own_token)


def check_group_count(groups: frozenset[str], free: frozenset[str] = frozenset()) -> None:
    """Refuse more than five dimensions; upstream's words are from PostHog/posthog issue 72556, read 2026-11-22."""
    if len(groups - free) > _MAX_GROUPS:
        raise ApiError(400, f"Cannot specify more than {_MAX_GROUPS} group_by[] dimensions.")


def _read_groups(call: Call, parameters: Parameters) -> frozenset[str]:
    groups = parameters.choices("group_by", tuple(_GROUPS))
    check_group_count(groups)
    betas = {name.strip() for name in call.request.headers.get("anthropic-beta", "").split(",")}
    if ("speed" in groups or "speeds" in parameters.lists) and _FAST_BETA not in betas:
        raise ApiError(400, f"speed requires the `anthropic-beta: {_FAST_BETA}` header")
    return groups


def _read_filters(parameters: Parameters) -> _Filters:
    found = []
    for name, (field, allowed) in _FILTERS.items():
        if name in parameters.lists:
            values = parameters.choices(name, allowed) if allowed else frozenset(parameters.lists[name])
            found.append((field, values))
    return tuple(found)


def _describe(call: Call, bucket: Bucket, groups: frozenset[str], filters: _Filters) -> dict[str, Any]:
    arrival = call.world.arrival(call.organisation, bucket.day)
    fields = [field if name in groups else None for name, field in _GROUPS.items()]
    sums: dict[tuple[str | None, ...], list[int]] = {}
    usage_slices = call.world.usage_slices(call.organisation, bucket.day)
    for usage_slice, counts in count_usage_slices(usage_slices, arrival, bucket.minutes):
        identity = usage_slice.identity
        if not any(counts[:REQUESTS]) or not _passes(identity, filters):
            continue
        group = tuple(None if field is None else getattr(identity, field) for field in fields)
        known = sums.setdefault(group, [0] * len(QUANTITIES))
        for place, count in enumerate(counts):
            known[place] += count
    return {
        "starting_at": instant_text(bucket.starting_at),
        "ending_at": instant_text(bucket.ending_at),
        "results": [_result(group, counts, with_speed="speed" in groups) for group, counts in sums.items()],
    }


def _passes(identity: Identity, filters: _Filters) -> bool:
    return all(getattr(identity, field) in values for field, values in filters)


def _result(group: tuple[str | None, ...], counts: list[int], *, with_speed: bool) -> dict[str, Any]:
    values = dict(zip(_GROUPS, group, strict=True))
    if not with_speed:
        del values["speed"]
    return token_fields(counts) | values
