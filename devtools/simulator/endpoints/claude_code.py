"""GET /v1/organizations/usage_report/claude_code: one day of Claude Code by person or key, with estimated cost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from devtools.simulator.clock import day_text
from devtools.simulator.endpoints.call import Answer
from devtools.simulator.parameters import Parameters
from devtools.simulator.wire import ApiError
from devtools.simulator.world.arrival import MINUTES_PER_DAY
from devtools.simulator.world.catalogue import MODELS
from devtools.simulator.world.draws import Draws
from devtools.simulator.world.identity import USER
from devtools.simulator.world.money import UNITS_PER_CENT
from devtools.simulator.world.usage_slices import REQUESTS, count_usage_slices

if TYPE_CHECKING:
    from devtools.simulator.endpoints.call import Call
    from devtools.simulator.world.identity import Identity

_SCALARS = frozenset({"starting_at", "limit", "page"})
_TERMINALS = ("vscode", "iTerm.app", "tmux", "Apple_Terminal", "WarpTerminal", "cursor")
_TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")
_MODELS_BY_ID = {model.id: model for model in MODELS}
# Only what is older than this is reported.
_LAG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where somebody worked; a record is one actor in one place."""

    actor: tuple[str, str]
    terminal: str
    is_remote: bool


@dataclass(slots=True)
class _Work:
    """What was used by model, in the order of `QUANTITIES`, and what it is estimated to cost in units."""

    counts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * (REQUESTS + 1)))
    units: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def requests(self) -> int:
        return sum(counts[REQUESTS] for counts in self.counts.values())


def claude_code(call: Call) -> Answer:
    """Answer with one page of records of one UTC day."""
    parameters = Parameters.read(call.request.pairs(), _SCALARS, frozenset())
    limit = parameters.integer("limit", default=20, low=1, high=1000)
    day = _read_day(parameters)
    question = f"{call.organisation.id} usage_report/claude_code {parameters.canonical()}"
    token = parameters.scalars.get("page")
    offset = int(call.cursors.read(question, token)) if token is not None else 0
    records = sorted(_work(call, day).items(), key=lambda item: repr(item[0]))
    has_more = offset + limit < len(records)
    document = {
        "data": [_describe(call, day, place, work) for place, work in records[offset : offset + limit]],
        "has_more": has_more,
        "next_page": call.cursors.issue(question, str(offset + limit)) if has_more else None,
    }
    return Answer(document, token or call.cursors.issue(question, "0"))


def _read_day(parameters: Parameters) -> date:
    text = parameters.scalars.get("starting_at")
    if text is None:
        raise ApiError(400, "starting_at: Field required")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or text != day.isoformat():
        raise ApiError(400, "starting_at: Input should be a date in the form YYYY-MM-DD")
    return day


def _work(call: Call, day: date) -> dict[_Place, _Work]:
    now = call.world.clock.now()
    closed = (now - _LAG - datetime.combine(day, time(), now.tzinfo)) // timedelta(hours=1)
    minutes = (0, min(MINUTES_PER_DAY, 60 * max(0, closed)))
    usage_slices = tuple(
        usage_slice
        for usage_slice in call.world.usage_slices(call.organisation, day)
        if usage_slice.identity.product == "claude_code" and usage_slice.identity.actor is not None
    )
    found: dict[_Place, _Work] = defaultdict(_Work)
    for usage_slice, counts in count_usage_slices(
        usage_slices, call.world.arrival(call.organisation, day), minutes
    ):
        identity = usage_slice.identity
        work = found[_place(call, identity, day)]
        model = _MODELS_BY_ID[identity.model or ""]
        sums = work.counts[model.id]
        for place, count in enumerate(counts):
            sums[place] += count
        kind = {
            "is_batch": identity.service_tier == "batch",
            "is_us": identity.inference_geo == "us",
            "is_long": identity.context_window != "0-200k",
        }
        work.units[model.id] += sum(
            count * model.unit_price(place, **kind) for place, count in enumerate(counts[:5])
        )
    return found


def _place(call: Call, identity: Identity, day: date) -> _Place:
    """Return where this part of the work was done: each actor has a terminal, and some work remotely on some models."""
    actor = identity.actor or ("", "")
    habit = Draws(call.organisation.key, "terminal", actor[1])
    today = Draws(call.organisation.key, "remote", actor[1], identity.model or "", day.isoformat())
    return _Place(actor, _TERMINALS[habit.between(0, 0, len(_TERMINALS) - 1)], today.happens(0, 200))


def _describe(call: Call, day: date, place: _Place, work: _Work) -> dict[str, Any]:
    draws = Draws(call.organisation.key, "code", place.actor[1], str(place.is_remote), day.isoformat())
    requests = work.requests()
    accepted = [requests // share for share in (3, 40, 9, 90)]
    return {
        "date": day_text(day),
        "actor": _actor(call, place.actor),
        "organization_id": call.organisation.id,
        "customer_type": "api",
        "subscription_type": None,
        "is_remote": place.is_remote,
        "terminal_type": place.terminal,
        "core_metrics": {
            "num_sessions": requests // 50 + 1,
            "lines_of_code": {
                "added": requests * draws.between(0, 1, 6),
                "removed": requests * draws.between(1, 0, 3),
            },
            "commits_by_claude_code": requests // 80,
            "pull_requests_by_claude_code": requests // 300,
        },
        "tool_actions": {
            name: {"accepted": count, "rejected": count * draws.between(2, 0, 200) // 1000}
            for name, count in zip(_TOOLS, accepted, strict=True)
        },
        "model_breakdown": [
            _describe_model(model, counts, work.units[model]) for model, counts in work.counts.items()
        ],
    }


def _describe_model(model: str, counts: list[int], units: int) -> dict[str, Any]:
    uncached, output, cache_read, written_5m, written_1h = counts[:5]
    return {
        "model": model,
        "tokens": {
            "input": uncached,
            "output": output,
            "cache_read": cache_read,
            "cache_creation": written_5m + written_1h,
        },
        # A JSON number, unlike every other amount: an estimate that nobody should add up with the billed ones.
        "estimated_cost": {"currency": "USD", "amount": round(units / UNITS_PER_CENT, 6)},
    }


def _actor(call: Call, actor: tuple[str, str]) -> dict[str, str]:
    kind, name = actor
    people = call.world.roster.people(call.organisation)
    if kind == USER:
        user = people.find_user(name)
        return {"type": "user_actor", "email_address": user.email if user is not None else name}
    key = people.find_key(name)
    return {"type": "api_actor", "api_key_name": key.name if key is not None else name}
