"""Builds answers by hand, and compares what was read with what was worked out beforehand."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from foundation.money import usd_text
from foundation.periods import DayRange
from integrations.anthropic.report_spec import ParsedWindow
from integrations.errors import UpstreamError

PAYLOADS = Path(__file__).parents[2] / "payloads"
THREE_DAYS = DayRange(date(2026, 11, 17), date(2026, 11, 20))
# What a record says about its spec, which the spec's own test looks at.
_FRAME = {"origin", "source"}


def recorded(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(PAYLOADS.glob(f"{name}.page-*.json"))]


def expected(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.expected.json").read_text(encoding="utf-8"))


def described(reading: ParsedWindow) -> dict[str, Any]:
    """Write a reading as the expected files do: without what is as it is by default."""
    whole = {
        "as_of": _plain(reading.as_of),
        "day_ends": {day.isoformat(): end.isoformat() for day, end in reading.day_ends.items()},
        "covered": sorted(day.isoformat() for day in reading.covered),
        "records": [_describe(record) for record in reading.records],
        "names": [_describe(name) for name in reading.names],
    }
    return {name: value for name, value in whole.items() if value}


def _describe(record: Any) -> dict[str, Any]:
    return {
        each.name: _plain(getattr(record, each.name))
        for each in fields(record)
        if each.name not in _FRAME and getattr(record, each.name) != _default(each)
    }


def _default(each: Any) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return usd_text(value)
    if isinstance(value, dict):
        # Several values are a tuple in a record and a list in JSON.
        return {name: list(each) if isinstance(each, tuple) else each for name, each in value.items()}
    return value.isoformat() if isinstance(value, date | datetime) else value


def body(*data: Any, has_more: bool = False, **document: Any) -> bytes:
    return json.dumps({"data": data, "has_more": has_more, **document}).encode()


def bucket(day: str, *results: Any, hours: int = 24) -> dict[str, Any]:
    return {**bounds(day, hours=hours), "results": list(results)}


def bounds(day: str, *, hours: int = 24) -> dict[str, str]:
    start = datetime.fromisoformat(f"{day}T00:00:00Z")
    end = datetime.fromtimestamp(start.timestamp() + hours * 3600, tz=start.tzinfo)
    return {"starting_at": start.isoformat(), "ending_at": end.isoformat()}


def money(amount: str = "100", **row: Any) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD", **row}


def tokens(uncached: Any = 1, **row: Any) -> dict[str, Any]:
    return {
        "uncached_input_tokens": uncached,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 0,
        "server_tool_use": {"web_search_requests": 0},
        **row,
    }


def refusal(read: Any, *arguments: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(*arguments)
    return caught.value
