"""A day taken apart to the finest grain: who used how much of what, and the billed cell each part belongs to; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .arrival import MINUTES_PER_DAY, Curve, block_part
from .catalogue import MODELS, TOKEN_TYPES, Model
from .costs import TOOL_WORDS, CostKey
from .draws import Draws
from .identity import API, Identity
from .organisations import LARGE, MEDIUM
from .sources import identify, share_out
from .traffic import Channel, day_level, usage_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from .arrival import Arrival
    from .organisations import Organisation
    from .sources import Source
    from .traffic import DayTraffic, ToolLine, UsageLine

# What is counted, in the order of a usage_slice's totals.
WEB_SEARCHES, REQUESTS = len(TOKEN_TYPES), len(TOKEN_TYPES) + 1
QUANTITIES = (*TOKEN_TYPES, "server_tool_use.web_search_requests", "requests")
_TOKENS_PER_REQUEST = 6000
_PRIORITY_MODELS = 2
_SECONDS_PER_SPAN = 600


@dataclass(frozen=True, slots=True)
class UsageSlice:
    """One identity's part of one channel's day, in the order of `QUANTITIES`; `line_totals` are the whole channel's."""

    identity: Identity
    line_totals: tuple[int, ...]
    first: int
    width: int
    # The billed cells of the tokens and of web searches, None where usage is not billed here (Priority Tier).
    cells: tuple[CostKey | None, ...]

    def curve(self, place: int) -> Curve:
        """Return how quantity `place` grows over the day."""
        return Curve(self.line_totals[place], self.first, self.width)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Tool time of one workspace, which is billed but is no token usage; `spans` counts executions."""

    identity: Identity
    cell: CostKey
    seconds: Curve
    spans: Curve


def console_usage_slices(
    organisation: Organisation, traffic: DayTraffic, day: date, sources: dict[str, tuple[Source, ...]]
) -> tuple[UsageSlice, ...]:
    """Share a whole day out among its sources; traffic of the Priority Tier is added, which no cost row shows."""
    usage_slices: list[UsageSlice] = []
    for line in (*traffic.lines, *_priority_lines(organisation, day)):
        totals = (*line.tokens, line.web_search_requests, request_count(line.tokens))
        cells = _cells(line)
        for share in share_out(organisation, line.channel, day, sources[line.channel.workspace.id]):
            identity = identify(share, line.channel)
            usage_slices.append(UsageSlice(identity, totals, share.first, share.width, cells))
    return tuple(usage_slices)


def tool_usage_slices(
    organisation: Organisation, traffic: DayTraffic, day: date, sources: dict[str, tuple[Source, ...]]
) -> tuple[ToolUse, ...]:
    """Return who spent the day's tool time."""
    return tuple(
        _tool_usage_slice(organisation, tool, day, sources[tool.workspace.id]) for tool in traffic.tools
    )


def count_usage_slices(
    usage_slices: tuple[UsageSlice, ...], arrival: Arrival, minutes: tuple[int, int] = (0, MINUTES_PER_DAY)
) -> Iterator[tuple[UsageSlice, tuple[int, ...]]]:
    """Yield each usage_slice with all its quantities between two minutes of the day; those without any are left out."""
    totals: tuple[int, ...] | None = None
    spans: list[tuple[int, int]] = []
    for usage_slice in usage_slices:
        # Usage slices of one line follow each other, and what has arrived of the line is the same for all of them.
        if usage_slice.line_totals is not totals:
            totals = usage_slice.line_totals
            spans = [(arrival.reached(t, minutes[0]), arrival.reached(t, minutes[1])) for t in totals]
        if all(low == high for low, high in spans):
            continue
        counts = tuple(
            block_part(high, usage_slice.first, usage_slice.width)
            - block_part(low, usage_slice.first, usage_slice.width)
            if low != high
            else 0
            for low, high in spans
        )
        if any(counts):
            yield usage_slice, counts


def request_count(tokens: tuple[int, ...]) -> int:
    """Return how many requests used so many tokens."""
    return sum(tokens[:3]) // _TOKENS_PER_REQUEST + 1


def _cells(line: UsageLine) -> tuple[CostKey | None, ...]:
    channel = line.channel
    if channel.service_tier == "priority":
        return (None,) * (len(TOKEN_TYPES) + 1)
    workspace_id = channel.workspace.report_id
    tokens = (
        CostKey(
            workspace_id,
            channel.model.description(place),
            "tokens",
            channel.model.id,
            token_type,
            channel.service_tier,
            channel.context_window,
            channel.inference_geo,
        )
        for place, token_type in enumerate(TOKEN_TYPES)
    )
    return (*tokens, CostKey(workspace_id, "Web Search Usage", "web_search"))


def _priority_lines(organisation: Organisation, day: date) -> list[UsageLine]:
    if organisation.size not in (MEDIUM, LARGE):
        return []
    level = day_level(organisation, day)
    if not level:
        return []
    found = []
    for model in MODELS[:_PRIORITY_MODELS]:
        line = usage_line(organisation, _priority_channel(organisation, model), day, level)
        if line is not None:
            found.append(replace(line, web_search_requests=0))
    return found


def _priority_channel(organisation: Organisation, model: Model) -> Channel:
    geo = "global" if model.reports_geo else "not_available"
    return Channel(organisation.workspaces[0], model, "priority", "0-200k", geo, 400)


def _tool_usage_slice(
    organisation: Organisation, tool: ToolLine, day: date, sources: tuple[Source, ...]
) -> ToolUse:
    in_use = [
        source.identity
        for source in sources
        if source.first_day <= day <= source.last_day
        and source.identity.actor is not None
        and source.identity.actor[0] == API
    ]
    known = in_use[0] if in_use else Identity()
    workspace = tool.workspace
    identity = Identity(
        workspace_id=workspace.id,
        report_workspace_id=workspace.report_id,
        api_key_id=known.api_key_id,
        actor=known.actor,
    )
    if tool.cost_type == "session_usage":
        draws = Draws(organisation.key, "agent", workspace.id)
        session = Draws(organisation.key, "session", workspace.id, day.isoformat())
        identity = replace(
            identity,
            product="managed_agents_api",
            agent_id=f"agent_01{draws.identifier()}",
            deployment_id=f"depl_01{draws.identifier()[::-1]}",
            environment_id=f"env_01{draws.identifier()[1:]}2",
            session_id=f"sesn_01{session.identifier()}",
        )
    cell = CostKey(workspace.report_id, TOOL_WORDS[tool.cost_type], tool.cost_type)
    return ToolUse(identity, cell, Curve(tool.seconds), Curve(tool.seconds // _SECONDS_PER_SPAN + 1))
