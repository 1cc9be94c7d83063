"""Count the requests that a year of a very large organisation needs, spec by spec, beside the least that upstream allows.

    .venv/bin/python -m devtools.bench.requests [--days 31] [--streams usage_report,analytics_usage]

Prints the table of docs/performance.md, "Requests of a year": 40 workspaces, 400 keys and 300 people, all of them busy every
day, which no demo organisation is. One window is read and taken for each of the year. Needs no database and no Redis.
"""

from __future__ import annotations

import argparse
import json
import math
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from costs.records import Origin
from devtools.simulator.clock import SimulatorClock
from devtools.simulator.keys import MEMBERS, key_text
from devtools.simulator.server import SimulatorServer
from devtools.simulator.service import Service
from devtools.simulator.world import organisations, people
from devtools.simulator.world.organisations import LARGE
from foundation.periods import DayRange
from integrations.anthropic.client import AnthropicClient
from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.http import HttpTransport

# ruff: noqa: SLF001 - the tables of sizes are the simulator's own; nobody else needs an organisation like this one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integrations.anthropic.report_spec import ReportSpec

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
YEAR_DAYS = 365
SLUG = "cedar-group"
WORKSPACES, KEYS_EACH, PEOPLE = 40, 10, 300
PAGE_ROWS = 1000
_TYPES = ("cost_type", "token_type")


@dataclass(frozen=True, slots=True)
class Counted:
    """What one window of a spec took: requests, rows as upstream limits them, and the records they became."""

    requests: int
    rows: int
    records: int


def enlarge() -> None:
    """Make the simulator's large organisation as large as it has to be."""
    organisations._WORKSPACES[LARGE] = WORKSPACES
    organisations._TEAMS = tuple(f"Team {number}" for number in range(1, WORKSPACES))
    organisations._ARCHIVED[LARGE] = 0
    people._KEYS[LARGE] = (KEYS_EACH, KEYS_EACH)
    people._KEY_NAMES = tuple(f"key-{number}" for number in range(KEYS_EACH))
    people._CONSOLE_USERS[LARGE] = people._ENTERPRISE_USERS[LARGE] = PEOPLE


@contextmanager
def served(now: datetime = NOW) -> Iterator[str]:
    """Serve it in this process as of a moment, and return its address."""
    service = Service(1, 25, SimulatorClock(now))
    with SimulatorServer(("127.0.0.1", 0), service.answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def count(client: AnthropicClient, spec: ReportSpec, window: DayRange) -> Counted:
    """Read one window whole."""
    bodies: list[bytes] = []
    request = spec.first_page(window)
    while request is not None:
        page = client.fetch(request)
        bodies.append(page.body)
        request = spec.next_page(request, page)
    records = len(spec.read(window, bodies).records)
    return Counted(len(bodies), sum(count_rows(body) for body in bodies), records)


def count_rows(body: bytes) -> int:
    """Count the rows of a page as its limit does: the types of cost of one group are one row."""
    rows = json.loads(body)["data"]
    groups = {json.dumps(without_types(row), sort_keys=True) for row in rows}
    return len(groups)


def without_types(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what does not count."""
    group = {name: value for name, value in (row.get("group") or {}).items() if name not in _TYPES}
    return {**{name: value for name, value in row.items() if name != "cost"}, "group": group}


def windows_a_year(spec: ReportSpec, today: date) -> int:
    """Count the windows of a whole backfill."""
    if spec.max_window_days is None:
        return 1
    first = today - timedelta(days=spec.depth_days or YEAR_DAYS)
    if spec.first_available_day is not None:
        first = max(first, spec.first_available_day(today))
    return math.ceil((today - first).days / spec.max_window_days)


def main() -> None:
    """Print one line a spec."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--streams", default="")
    arguments = parser.parse_args()
    enlarge()
    wanted = set(filter(None, arguments.streams.split(",")))
    today = NOW.date()
    print(
        f"{'stream':30} {'windows':>7} {'rows':>7} {'requests':>8} {'least':>6} {'records':>8} {'a year':>7} {'least':>6}"
    )
    with served() as base_url:
        transport = HttpTransport(base_url, timeout_seconds=60, user_agent="Tallystick/0.1")
        for spec in REPORT_SPECS.values():
            if wanted and spec.name not in wanted:
                continue
            kind = "admin" if spec.origin == Origin.CLAUDE_PLATFORM else MEMBERS
            client = AnthropicClient(transport, key_text(SLUG, kind))
            days = min(arguments.days, spec.max_window_days or arguments.days)
            found = count(client, spec, DayRange(today - timedelta(days=days), today))
            windows = windows_a_year(spec, today)
            is_by_row = spec.first_page(DayRange(today, today + timedelta(days=1))).query[-1][1] == str(
                PAGE_ROWS
            )
            least = max(1, math.ceil(found.rows / PAGE_ROWS)) if is_by_row else 1
            print(
                f"{spec.name:30} {windows:7} {found.rows:7} {found.requests:8} {least:6} {found.records:8} "
                f"{windows * found.requests:7} {windows * least:6}",
                flush=True,
            )


if __name__ == "__main__":
    main()
