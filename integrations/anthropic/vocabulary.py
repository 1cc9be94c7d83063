"""Owns what this version knows of the words of the reports: everything else is stored as well, and told as new."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from costs.news import News
from costs.records import CostRecord, stated_extra
from costs.usage_records import UPSTREAM_COUNTS, ActivityRecord, UsageRecord
from integrations.anthropic import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from costs.news import Kind
    from costs.records import Record

    _Thing = tuple[Kind, str, str]

# Official Python SDK 2.14.0 and documents, read 2026-11.
_KNOWN: Mapping[str, frozenset[str]] = {
    "cost_type": frozenset({"tokens", "web_search", "code_execution", "session_usage"}),
    "token_type": frozenset(
        {
            "uncached_input_tokens", "output_tokens", "cache_read_input_tokens",
            "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens",
        }
    ),
    "service_tier": frozenset({"standard", "batch", "priority", "priority_on_demand", "flex", "flex_discount"}),
    "context_window": frozenset({"0-200k", "200k-1M"}),
    "inference_geo": frozenset({"global", "us", "not_available"}),
    "speed": frozenset({"standard", "fast"}),
    "product": frozenset(
        {
            "chat", "chat_cowork_unified", "claude_code", "claude_console", "claude_design", "claude_in_chrome", "claude_tag",
            "cowork", "managed_agents_api", "message_batches_api", "messages_api", "office_agent", "cc_security_autopatch",
            "other",
        }
    ),
    "actor_type": frozenset({"user_actor", "service_account_actor", "federated_actor", "api_actor"}),
    "customer_type": frozenset({"api", "subscription"}),
    "subscription_type": frozenset({"enterprise", "team"}),
    "is_remote": frozenset({"true", "false"}),
}  # fmt: skip
# Fields of which we know the type: beside a row they mean that another one came, or none.
_EXPECTED = frozenset(
    {
        *CostRecord.KEY, *UsageRecord.KEY, *ActivityRecord.KEY, *UPSTREAM_COUNTS, "actor", "user_id", "account_id",
        "service_account_id", "api_key_name", "core_metrics", "lines_of_code", "lines_of_code.added", "lines_of_code.removed", "num_sessions",
        "commits_by_claude_code", "pull_requests_by_claude_code", "tool_actions", "model_breakdown",
    }
)  # fmt: skip


def list_news(records: Iterable[Record]) -> list[News]:
    """Return what the records say that this version does not know, each thing once."""
    found: dict[tuple[str, str, str], News] = {}
    known: dict[tuple[str, Any], Sequence[_Thing]] = {}
    for record in records:
        # Rows repeat: a day of ten thousand has a few hundred combinations of these words.
        words = record.source, _read_words(record.KEY)(record)
        if words not in known:
            known[words] = _new_words(_columns(record.KEY), words[1])
        things = known[words] if not _has_more(record) else (*known[words], *_new_fields(record))
        for thing in things:
            place = (record.source, *thing[1:])
            earlier = found.get(place)
            found[place] = (
                News(record.source, *thing, record.day) if earlier is None else earlier.seen(record.day)
            )
    return list(found.values())


@cache
def _read_words(key: tuple[str, ...]) -> Callable[[Record], tuple[str | None, ...]]:
    return attrgetter(*_columns(key))


def _columns(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in _KNOWN if name in key)


def _has_more(record: Record) -> bool:
    return bool(record.extra) or (isinstance(record, UsageRecord) and bool(record.other_counts))


def _new_words(columns: Sequence[str], values: Sequence[str | None]) -> list[_Thing]:
    kind: Kind = "value"
    return [
        (kind, name, value)
        for name, value in zip(columns, values, strict=True)
        if value is not None and value not in _KNOWN[name]
    ]


def _new_fields(record: Record) -> list[_Thing]:
    found: list[_Thing] = [
        (_kind(name), name, value if isinstance(value, str) else wire.canonical(value))
        for name, values in stated_extra(record).items()
        for value in (values if isinstance(values, tuple) else (values,))
        if value is not None
    ]
    if isinstance(record, UsageRecord):
        found.extend(("count", name, "") for name, count in record.other_counts.items() if count)
    return found


def _kind(name: str) -> Kind:
    return "unread" if name in _EXPECTED else "field"
