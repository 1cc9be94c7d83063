"""How counts are written in every usage report: cache writes and server tools are nested, the rest is flat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devtools.simulator.world.usage_slices import REQUESTS, WEB_SEARCHES

if TYPE_CHECKING:
    from collections.abc import Sequence


def token_fields(counts: Sequence[int]) -> dict[str, Any]:
    """Write counts, which come in the order of `QUANTITIES`, as the reports do."""
    uncached, output, cache_read, written_5m, written_1h = counts[:WEB_SEARCHES]
    return {
        "uncached_input_tokens": uncached,
        "cache_read_input_tokens": cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": written_5m, "ephemeral_1h_input_tokens": written_1h},
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": counts[WEB_SEARCHES]},
    }


def analytics_fields(counts: Sequence[int]) -> dict[str, Any]:
    """Write counts with the total and the number of requests that only the analytics family has."""
    return token_fields(counts) | {
        "total_tokens": sum(counts[:WEB_SEARCHES]),
        "requests": counts[REQUESTS],
    }
