"""Turns a day's traffic into billed rows, one per full key of the classic cost report; pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from .catalogue import CODE_EXECUTION_UNITS_PER_HOUR, SESSION_UNITS_PER_HOUR, TOKEN_TYPES, WEB_SEARCH_UNITS

if TYPE_CHECKING:
    from .traffic import DayTraffic, ToolLine, UsageLine

_TOOL_PRICES = {"code_execution": CODE_EXECUTION_UNITS_PER_HOUR, "session_usage": SESSION_UNITS_PER_HOUR}
TOOL_WORDS = {"code_execution": "Code Execution Usage", "session_usage": "Managed Agents Session Usage"}


@dataclass(frozen=True, slots=True)
class CostKey:
    """The full identity of a row inside a day; `workspace_id` is None for the default workspace."""

    workspace_id: str | None
    description: str | None
    cost_type: str | None
    model: str | None = None
    token_type: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None


DIMENSIONS = tuple(field.name for field in fields(CostKey))


@dataclass(frozen=True, slots=True)
class CostRow:
    """One billed row; `units` is money in 10^-14 cents."""

    key: CostKey
    units: int


def cost_rows(traffic: DayTraffic) -> tuple[CostRow, ...]:
    """Price a day; rows of nothing are left out, and every key occurs once."""
    rows: list[CostRow] = []
    searches: dict[str | None, int] = {}
    for line in traffic.lines:
        rows.extend(_token_rows(line))
        if line.web_search_requests:
            workspace_id = line.channel.workspace.report_id
            searches[workspace_id] = searches.get(workspace_id, 0) + line.web_search_requests
    for workspace_id, count in searches.items():
        rows.append(
            CostRow(CostKey(workspace_id, "Web Search Usage", "web_search"), count * WEB_SEARCH_UNITS)
        )
    rows.extend(_tool_row(tool) for tool in traffic.tools if tool.seconds)
    return tuple(rows)


def _token_rows(line: UsageLine) -> list[CostRow]:
    channel = line.channel
    model = channel.model
    is_batch, is_us = channel.service_tier == "batch", channel.inference_geo == "us"
    is_long = channel.context_window != "0-200k"
    return [
        CostRow(
            CostKey(
                channel.workspace.report_id,
                model.description(place),
                "tokens",
                model.id,
                TOKEN_TYPES[place],
                channel.service_tier,
                channel.context_window,
                channel.inference_geo,
            ),
            count * model.unit_price(place, is_batch=is_batch, is_us=is_us, is_long=is_long),
        )
        for place, count in enumerate(line.tokens)
        if count
    ]


def _tool_row(tool: ToolLine) -> CostRow:
    key = CostKey(tool.workspace.report_id, TOOL_WORDS[tool.cost_type], tool.cost_type)
    return CostRow(key, tool.seconds * _TOOL_PRICES[tool.cost_type] // 3600)
