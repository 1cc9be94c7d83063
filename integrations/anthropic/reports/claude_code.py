"""Owns the Claude Code report: who did what with it on one day; its dollars are an estimate that the bill already holds."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from costs.records import Origin, merge_equal_keys
from costs.usage_records import ActivityRecord
from foundation.money import sum_usd
from foundation.periods import utc_day
from integrations.anthropic import endpoints, wire
from integrations.anthropic.report_spec import ParsedWindow
from integrations.anthropic.reports import actors
from integrations.anthropic.reports.amounts import in_usd, require_dollars
from integrations.anthropic.reports.fields import (
    read_columns,
    read_count,
    read_object,
    read_objects,
    read_text,
    read_word,
)
from integrations.anthropic.reports.paging import read_rows
from integrations.pages import PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from costs.records import Scalar
    from foundation.periods import DayRange

_MAX_ROWS = 1000
_CORE = frozenset({"num_sessions", "lines_of_code", "commits_by_claude_code", "pull_requests_by_claude_code"})
_KNOWN = frozenset(
    {
        "date", "actor", "organization_id", "customer_type", "subscription_type", "is_remote", "terminal_type",
        "core_metrics", "tool_actions", "model_breakdown",
    }
)  # fmt: skip


def claude_code_request(window: DayRange) -> PageRequest:
    """Build the query of the one day that the window holds; the report has no range."""
    if len(window) != 1:
        raise ValueError("the Claude Code report is read day by day")
    query = (("starting_at", window.start.isoformat()), ("limit", str(_MAX_ROWS)))
    return PageRequest("claude_code", endpoints.CLAUDE_CODE, query)


def read_claude_code(
    window: DayRange, bodies: Sequence[bytes], request_ids: Sequence[str | None] = ()
) -> ParsedWindow:
    """
    Read all pages of one day.

    Shape:   one record for each actor, terminal, kind of customer and place; two keys of one name are summed
    Units:   the estimate is a JSON number of US cents, unlike every other amount
    Raises:  UpstreamError (fatal, upstream_unreadable): a row of another day, an estimate that is no number of US
             cents, pages that are missing
    """
    records: list[ActivityRecord] = []
    read_rows(bodies, request_ids, partial(_add, window.start, records))
    return ParsedWindow(merge_equal_keys(records), frozenset(window.days()))


def _add(day: date, records: list[ActivityRecord], row: wire.Row, _refreshed_at: datetime | None) -> None:
    found = _day(wire.get_text(row, "date"))
    if found != day:
        raise wire.WireError(f"it holds {found}, which was not asked for ({day})")
    odd = _extra(row)
    core = read_object(row, "core_metrics", odd)
    lines = read_object(core, "lines_of_code", odd)
    models = read_objects(row, "model_breakdown", odd)
    actor_type, actor_id = _actor(row.get("actor"), odd)
    records.append(
        ActivityRecord(
            day=day,
            origin=Origin.CLAUDE_PLATFORM,
            source="claude_code",
            actor_type=actor_type,
            actor_id=actor_id,
            **read_columns(row, ("customer_type", "subscription_type", "terminal_type"), odd),
            is_remote=_is_remote(row.get("is_remote"), odd),
            sessions=read_count(core, "num_sessions", odd),
            lines_added=read_count(lines, "added", odd, "lines_of_code.added"),
            lines_removed=read_count(lines, "removed", odd, "lines_of_code.removed"),
            commits=read_count(core, "commits_by_claude_code", odd),
            pull_requests=read_count(core, "pull_requests_by_claude_code", odd),
            estimated_cost_usd=sum_usd(_estimate(model, day) for model in models),
            tool_actions=_tool_actions(read_object(row, "tool_actions", odd), odd),
            model_tokens=_model_tokens(models, odd),
            extra=odd | _new_metrics(core),
        )
    )


def _day(text: str) -> date:
    """Read a day in either form: older documents show YYYY-MM-DD, newer ones the midnight it begins at."""
    if "T" in text.upper():
        return utc_day(wire.read_moment(text))
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise wire.WireError(f"{text[:40]!r} is not a day") from error


def _actor(actor: Any, odd: dict[str, Scalar]) -> tuple[str | None, str | None]:
    """Return kind and name: this report knows people by address and keys by name only."""
    kind = actor.get("type") if isinstance(actor, dict) else None
    if kind == actors.USER:
        return kind, read_text(actor, "email_address") or read_text(actor, "email")
    if kind == actors.API:
        return kind, read_word(actor, "api_key_name", odd)
    return actors.read_actor(actor, odd)


def _is_remote(value: Any, odd: dict[str, Scalar]) -> str | None:
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    return read_word({"is_remote": value}, "is_remote", odd)


def _estimate(model: wire.Row, day: date) -> Decimal:
    cost = wire.get_object(model, "estimated_cost")
    require_dollars(cost, day)
    amount = cost.get("amount")
    if not isinstance(amount, int | Decimal) or isinstance(amount, bool):
        raise wire.WireError(f"an estimate of {day} is not a number")
    return in_usd(f"{amount:f}" if isinstance(amount, Decimal) else str(amount), day)


def _tool_actions(tools: wire.Row, odd: dict[str, Scalar]) -> dict[str, int]:
    return {
        f"{tool}.{verdict}": read_count(verdicts, verdict, odd, f"tool_actions.{tool}.{verdict}")
        for tool in tools
        for verdicts in (read_object(tools, tool, odd),)
        for verdict in verdicts
    }


def _model_tokens(models: Sequence[wire.Row], odd: dict[str, Scalar]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for model in models:
        name, tokens = read_word(model, "model", odd) or "", read_object(model, "tokens", odd)
        for kind in tokens:
            counts[f"{name}.{kind}"] += read_count(tokens, kind, odd, f"tokens.{kind}")
    return dict(counts)


def _extra(row: wire.Row) -> dict[str, Scalar]:
    return {name: wire.scalar(value) for name, value in row.items() if name not in _KNOWN}


def _new_metrics(core: wire.Row) -> dict[str, Scalar]:
    return {f"core_metrics.{name}": wire.scalar(core[name]) for name in core.keys() - _CORE}
