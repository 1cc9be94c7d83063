"""Owns the shapes of what was used: token usage, and Claude Code activity; knows no provider and no table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from costs.records import Extra, KnowsItsKey, Origin, bound_texts, merged_extra, refuse_bad_frame
from costs.texts import shorten_counts
from foundation.money import sum_usd, usd_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal

# The nullable text dimensions of a usage row, in the order of the record. All of them are part of its identity.
USAGE_DIMENSIONS = (
    "workspace_id",
    "api_key_id",
    "actor_type",
    "actor_id",
    "product",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
)
TOKEN_COUNTS = (
    "uncached_input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)
# The names under which reports of usage send what has a column; where one is nested, also the object's.
UPSTREAM_COUNTS = (
    "uncached_input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation",
    "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens", "server_tool_use",
    "server_tool_use.web_search_requests", "requests",
)  # fmt: skip
ACTIVITY_COUNTS = ("sessions", "lines_added", "lines_removed", "commits", "pull_requests")
ACTIVITY_DIMENSIONS = (
    "actor_type",
    "actor_id",
    "customer_type",
    "subscription_type",
    "terminal_type",
    "is_remote",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord(KnowsItsKey):
    """
    What was used on one UTC day for one combination of dimensions, as upstream counted it.

    Units:   tokens; calls of the web search tool; `requests` are calls of the API, null where the report has none
    Key:     `day` and `row_key`; null is a value of its own
    Shape:   `other_counts` holds counts this version does not know, by upstream name; `total_tokens` is the sum
             of the five kinds
    Raises:  TypeError, ValueError: a day with a time, a negative or fractional count
    """

    KEY: ClassVar[tuple[str, ...]] = USAGE_DIMENSIONS

    day: date
    origin: Origin
    source: str
    workspace_id: str | None = None
    api_key_id: str | None = None
    actor_type: str | None = None
    actor_id: str | None = None
    product: str | None = None
    model: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    extra: Extra = field(default_factory=dict)
    uncached_input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    web_search_requests: int = 0
    requests: int | None = None
    other_counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_bad_frame(self.day, self.extra)
        counts = [getattr(self, name) for name in (*TOKEN_COUNTS, "web_search_requests")]
        _refuse_bad_counts([*counts, *self.other_counts.values(), self.requests or 0])
        bound_texts(self)
        if self.other_counts:
            object.__setattr__(self, "other_counts", shorten_counts(self.other_counts))

    @property
    def total_tokens(self) -> int:
        """The sum of the five kinds of tokens."""
        return sum(getattr(self, name) for name in TOKEN_COUNTS)

    @property
    def known_counts(self) -> dict[str, int]:
        """The counts that have a column; without requests where the report has none."""
        counts = {name: getattr(self, name) for name in (*TOKEN_COUNTS, "web_search_requests")}
        return counts if self.requests is None else {**counts, "requests": self.requests}

    def plus(self, other: Self) -> Self:
        """Add the counts; requests that are missing on one side are missing on the sum, never half a sum."""
        requests = None
        if self.requests is not None and other.requests is not None:
            requests = self.requests + other.requests
        return replace(
            self,
            **{
                name: getattr(self, name) + getattr(other, name)
                for name in (*TOKEN_COUNTS, "web_search_requests")
            },
            requests=requests,
            other_counts=_added(self.other_counts, other.other_counts),
            extra=merged_extra(self.extra, other.extra),
        )

    def value_texts(self) -> tuple[str, ...]:
        """Return all counts."""
        known = (str(getattr(self, name)) for name in (*TOKEN_COUNTS, "web_search_requests"))
        requests = "null" if self.requests is None else str(self.requests)
        return (*known, requests, _canonical(self.other_counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRecord(KnowsItsKey):
    """
    What one person or key did with Claude Code on one UTC day in one kind of terminal.

    Units:   `estimated_cost_usd` is upstream's estimate in US dollars, a part of what the cost reports bill: it
             must never be added to them. Lines of code; numbers of sessions, commits and pull requests
    Shape:   `actor_id` is an e-mail address or the name of a key; `tool_actions` counts by
             "<tool>.accepted|rejected"; `model_tokens` counts by "<model>.<kind>"
    """

    KEY: ClassVar[tuple[str, ...]] = ACTIVITY_DIMENSIONS

    day: date
    origin: Origin
    source: str
    actor_type: str | None = None
    actor_id: str | None = None
    customer_type: str | None = None
    subscription_type: str | None = None
    terminal_type: str | None = None
    is_remote: str | None = None
    extra: Extra = field(default_factory=dict)
    sessions: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    commits: int = 0
    pull_requests: int = 0
    estimated_cost_usd: Decimal
    tool_actions: Mapping[str, int] = field(default_factory=dict)
    model_tokens: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_bad_frame(self.day, self.extra)
        _refuse_bad_counts(list(self.known_counts.values()))
        bound_texts(self)
        object.__setattr__(self, "tool_actions", shorten_counts(self.tool_actions))
        object.__setattr__(self, "model_tokens", shorten_counts(self.model_tokens))

    @property
    def known_counts(self) -> dict[str, int]:
        """The counts that have a column."""
        return {name: getattr(self, name) for name in ACTIVITY_COUNTS}

    def plus(self, other: Self) -> Self:
        """Add everything: names of keys are not unique, so two keys may share a row."""
        changes: dict[str, Any] = {}
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if each.name in {"tool_actions", "model_tokens"}:
                changes[each.name] = _added(mine, theirs)
            elif isinstance(mine, int):
                changes[each.name] = mine + theirs
        changes["extra"] = merged_extra(self.extra, other.extra)
        cost = sum_usd((self.estimated_cost_usd, other.estimated_cost_usd))
        return replace(self, **changes, estimated_cost_usd=cost)

    def value_texts(self) -> tuple[str, ...]:
        """Return all counts and the estimate."""
        return (
            *map(str, self.known_counts.values()),
            usd_text(self.estimated_cost_usd),
            _canonical(self.tool_actions),
            _canonical(self.model_tokens),
        )


def _refuse_bad_counts(counts: list[int]) -> None:
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError("a count must be a whole number of zero or more")


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    # Not Counter's own addition, which drops zeros.
    total = Counter(one)
    total.update(other)
    return dict(total)


def _canonical(counts: Mapping[str, int]) -> str:
    return json.dumps(dict(counts), sort_keys=True, separators=(",", ":"))
