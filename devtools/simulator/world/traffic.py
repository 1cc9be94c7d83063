"""What an organisation used on a day, in tokens, requests and seconds; pure, and the source of cost and usage alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .catalogue import MODELS, Model
from .draws import Draws
from .organisations import EMPTY, LARGE, MEDIUM, SMALL

if TYPE_CHECKING:
    from datetime import date

    from .organisations import Organisation, Workspace

WEEKDAYS = (1000, 1060, 1100, 1080, 940, 180, 150)  # Monday first, permille of an ordinary day
_MODELS = {SMALL: 2, MEDIUM: 4, LARGE: 8}
_BASE_TOKENS = {SMALL: 2_000_000, MEDIUM: 7_000_000, LARGE: 20_000_000}
_QUIET_PERMILLE = {SMALL: 50, MEDIUM: 16, LARGE: 5}
_SPIKE_PERMILLE = 22
# How much of a day has arrived by each hour: office hours weigh most, and the last hour is never quite whole,
# so that the final amounts differ from the last provisional ones.
ARRIVED_PERMILLE = (
    9,
    18,
    27,
    37,
    50,
    72,
    108,
    160,
    228,
    308,
    391,
    470,
    542,
    613,
    685,
    754,
    815,
    862,
    897,
    924,
    945,
    962,
    976,
    988,
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of similar requests: where they come from and how they are served."""

    workspace: Workspace
    model: Model
    service_tier: str
    context_window: str
    inference_geo: str
    weight_permille: int

    def name(self) -> tuple[str, ...]:
        """Return what identifies the channel, for draws."""
        return (self.workspace.id, self.model.id, self.service_tier, self.context_window, self.inference_geo)


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One channel's day: token counts in the order of `TOKEN_TYPES`."""

    channel: Channel
    tokens: tuple[int, ...]
    web_search_requests: int


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A workspace's day of something billed by the second: `code_execution` or `session_usage`."""

    workspace: Workspace
    cost_type: str
    seconds: int


@dataclass(frozen=True, slots=True)
class DayTraffic:
    """All an organisation used on one day."""

    lines: tuple[UsageLine, ...] = ()
    tools: tuple[ToolLine, ...] = ()

    def arrived_by(self, hour: int) -> DayTraffic:
        """Return the part of the day that has arrived by that hour (0..23)."""
        share = ARRIVED_PERMILLE[hour]
        lines = tuple(
            UsageLine(
                line.channel,
                tuple(count * share // 1000 for count in line.tokens),
                line.web_search_requests * share // 1000,
            )
            for line in self.lines
        )
        return DayTraffic(
            lines, tuple(ToolLine(t.workspace, t.cost_type, t.seconds * share // 1000) for t in self.tools)
        )


def list_channels(organisation: Organisation) -> tuple[Channel, ...]:
    """Return every channel the organisation ever uses."""
    if organisation.size == EMPTY:
        return ()
    return tuple(
        channel
        for workspace in organisation.workspaces
        for number, model in enumerate(MODELS[: _MODELS[organisation.size]])
        for channel in _list_variants(organisation, workspace, model, number)
    )


def day_traffic(organisation: Organisation, channels: tuple[Channel, ...], day: date) -> DayTraffic:
    """Return the whole day's traffic, as it stands once the day has closed."""
    level = day_level(organisation, day)
    if not level or not channels:
        return DayTraffic()
    lines = (usage_line(organisation, channel, day, level) for channel in channels)
    tools = (
        tool
        for workspace in organisation.workspaces
        if organisation.size == LARGE and workspace.is_in_use(day)
        for tool in _tool_lines(organisation, workspace, day)
    )
    return DayTraffic(tuple(line for line in lines if line is not None), tuple(tools))


def _list_variants(
    organisation: Organisation, workspace: Workspace, model: Model, number: int
) -> list[Channel]:
    draws = Draws(organisation.key, "channel", workspace.id, model.id)
    is_small, is_large = organisation.size == SMALL, organisation.size == LARGE
    # A large organisation's workspace uses about half of the models; the first model is used everywhere.
    if not is_small and number and not draws.happens(0, 550):
        return []
    weight = draws.between(1, 150, 1900)
    geo = "global" if model.reports_geo else "not_available"
    variants = [Channel(workspace, model, "standard", "0-200k", geo, weight)]
    if not is_small and draws.happens(2, 300):
        variants.append(Channel(workspace, model, "batch", "0-200k", geo, weight * 2 // 3))
    if is_large and model.has_long_context and draws.happens(3, 350):
        variants.append(Channel(workspace, model, "standard", "200k-1M", geo, weight // 4))
    if is_large and model.reports_geo and draws.happens(4, 350):
        variants.append(Channel(workspace, model, "standard", "0-200k", "us", weight // 2))
    return variants


def day_level(organisation: Organisation, day: date) -> int:
    """Return the day's activity in millionths of the base; 0 on a day without traffic."""
    age = (day - organisation.first_day).days
    if age < 0:
        return 0
    draws = Draws(organisation.key, "day", day.isoformat())
    if draws.happens(0, _QUIET_PERMILLE.get(organisation.size, 0)):
        return 0
    spike = draws.between(2, 2500, 6000) if draws.happens(1, _SPIKE_PERMILLE) else 1000
    growth = 1000 + age * 2
    return WEEKDAYS[day.weekday()] * growth // 1000 * spike // 1000 * draws.between(3, 800, 1200)


def usage_line(organisation: Organisation, channel: Channel, day: date, level: int) -> UsageLine | None:
    """Return one channel's whole day, None when it rests; `level` is the day's activity."""
    if not channel.workspace.is_in_use(day) or day < channel.model.launched_on:
        return None
    draws = Draws(organisation.key, "usage", day.isoformat(), *channel.name())
    if not draws.happens(0, 900):
        return None
    base = (
        _BASE_TOKENS[organisation.size]
        * level
        // 10**6
        * channel.weight_permille
        // 1000
        * draws.between(1, 400, 1600)
        // 1000
    )
    is_batch = channel.service_tier == "batch"
    permille = (
        1000,
        draws.between(2, 50, 260),
        0 if is_batch else draws.between(3, 0, 5000),
        draws.between(4, 0, 700) if draws.happens(5, 800) else 0,
        draws.between(6, 0, 150) if not is_batch and draws.happens(7, 400) else 0,
    )
    tokens = tuple(
        base * share // 1000 + (draws.between(8 + place, 0, 999) if share else 0)
        for place, share in enumerate(permille)
    )
    has_search = organisation.size in (MEDIUM, LARGE) and not is_batch and draws.happens(13, 250)
    return UsageLine(channel, tokens, draws.between(14, 1, 900) if has_search else 0)


def _tool_lines(organisation: Organisation, workspace: Workspace, day: date) -> list[ToolLine]:
    draws = Draws(organisation.key, "tools", day.isoformat(), workspace.id)
    tools = []
    if draws.happens(0, 300):
        tools.append(ToolLine(workspace, "code_execution", draws.between(1, 60, 90_000)))
    if draws.happens(2, 250):
        tools.append(ToolLine(workspace, "session_usage", draws.between(3, 60, 400_000)))
    return tools
