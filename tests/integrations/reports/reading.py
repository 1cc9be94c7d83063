"""Reads reports as the engine does, without it: every page of every window, one after the other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from costs.records import Origin
from devtools.simulator.process import Simulator
from foundation.periods import DayRange
from integrations.anthropic.client import AnthropicClient
from integrations.anthropic.report_spec import ParsedWindow, ReportSpec
from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.http import HttpTransport

ALL = REPORT_SPECS


@dataclass(slots=True)
class Read:
    """What several windows of one spec said together, and in how many requests."""

    records: list[Any] = field(default_factory=list)
    covered: set[date] = field(default_factory=set)
    names: dict[str, Any] = field(default_factory=dict)
    requests: int = 0

    def add(self, reading: ParsedWindow) -> None:
        self.records += reading.records
        self.covered |= reading.covered
        self.names.update((name.resource_id, name) for name in reading.names)


def client_of(simulator: Simulator, key: str) -> AnthropicClient:
    transport = HttpTransport(simulator.base_url, timeout_seconds=60, user_agent="Tallystick/1.0")
    return AnthropicClient(transport, key)


def fetch_window(client: AnthropicClient, spec: ReportSpec, window: DayRange) -> tuple[ParsedWindow, int]:
    bodies, request_ids = [], []
    request = spec.first_page(window)
    while request is not None:
        page = client.fetch(request)
        bodies.append(page.body)
        request_ids.append(page.request_id)
        request = spec.next_page(request, page)
    return spec.read(window, bodies, request_ids), len(bodies)


def fetch(client: AnthropicClient, spec: ReportSpec, days: DayRange) -> Read:
    read = Read()
    for window in days.split_newest_first(spec.max_window_days or len(days)):
        reading, requests = fetch_window(client, spec, window)
        read.add(reading)
        read.requests += requests
    return read


def total(amounts: Any) -> Fraction:
    return sum(map(Fraction, amounts), Fraction())


def by(records: list[Any], value: str, *names: str) -> dict[Any, Fraction]:
    """Add `value` of the records up by the columns named; one name gives plain keys."""
    sums: dict[Any, Fraction] = defaultdict(Fraction)
    for record in records:
        key = tuple(getattr(record, name) for name in names)
        sums[key if len(names) > 1 else key[0]] += Fraction(getattr(record, value))
    return without_nothing(sums)


def without_nothing(sums: dict[Any, Any]) -> dict[Any, Fraction]:
    return {key: Fraction(value) for key, value in sums.items() if value}


def usd(text: str) -> Decimal:
    return Decimal(text)


__all__ = [
    "ALL",
    "Origin",
    "Read",
    "by",
    "client_of",
    "fetch",
    "fetch_window",
    "total",
    "usd",
    "without_nothing",
]
