"""What the demo does once everything runs: connect, watch the backfill, compare with the simulator's truth."""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from devtools.demo.api import Api
from devtools.simulator.process import Simulator

DAYS = 365
ORGANISATIONS = ("acorn-studio", "birch-logistics", "cedar-group")
_POLL_SECONDS = 0.25
# A window of the largest organisation takes seconds even on a busy machine.
_STANDSTILL_SECONDS = 60.0


class StoryError(Exception):
    """The backfill did not end well; the message says which connection and why."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one connection is."""

    name: str
    days_done: int
    days_total: int
    status: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One organisation's year: what the API says and what the simulator knows to be true, exact USD."""

    organization: str
    organization_id: str
    connection: str
    total_usd: str
    truth_usd: str
    equal: bool
    rows: int
    requests: int

    def as_json(self) -> dict[str, Any]:
        """Return the outcome for machines."""
        return asdict(self)


def connect(api: Api, simulator: Simulator) -> list[dict[str, Any]]:
    """Connect the demo's organisations with their keys."""
    keys = {each["slug"]: each["admin_key"] for each in simulator.organisations(limit=20)}
    return [
        api.post("connections/", {"provider": "anthropic", "api_key": keys[slug]}) for slug in ORGANISATIONS
    ]


def watch(api: Api, connections: Sequence[dict[str, Any]], tell: Callable[[list[Progress]], None]) -> None:
    """
    Tell the progress until every bill is there; StoryError when one needs a person or stands still.

    What tells more of the same money (tokens, keys, people) goes on arriving behind it.
    """
    latest: list[Progress] = []
    while True:
        seen = [api.get(f"connections/{each['id']}/") for each in connections]
        progress = [_progress(each) for each in seen]
        tell(progress)
        if progress != latest:
            latest, deadline = progress, time.monotonic() + _STANDSTILL_SECONDS
        broken = [each for each in seen if each["status"] == "error"]
        if broken:
            raise StoryError(f"{broken[0]['label']}: {broken[0]['detail']} {broken[0]['remedy']}")
        if all(_has_its_bill(each) for each in seen):
            return
        if time.monotonic() > deadline:
            raise StoryError(f"No progress for {_STANDSTILL_SECONDS:g} s; see the logs of worker and beat.")
        time.sleep(_POLL_SECONDS)


def _has_its_bill(connection: dict[str, Any]) -> bool:
    backfill = connection["backfill"]
    return bool(backfill["days_done"] == backfill["days_total"])


def _progress(connection: dict[str, Any]) -> Progress:
    backfill = connection["backfill"]
    return Progress(connection["label"], backfill["days_done"], backfill["days_total"], connection["status"])


def compare(
    api: Api, simulator: Simulator, connections: Sequence[dict[str, Any]], today: dt.date
) -> Iterator[Outcome]:
    """Compare the 365 days before today with the truth; today itself still changes by the hour."""
    start = today - dt.timedelta(days=DAYS)
    for connection in connections:
        organization = connection["organization"]
        summary = api.get("costs/summary/", **{"from": start, "to": today, "connection": connection["id"]})
        runs = api.get(f"connections/{connection['id']}/runs/")["results"]
        truth = simulator.truth(organization["id"], start, today)
        total = summary["total_usd"]
        yield Outcome(
            organization=organization["name"],
            organization_id=organization["id"],
            connection=connection["id"],
            total_usd=total,
            truth_usd=_text(truth.total_usd),
            equal=Decimal(total) == truth.total_usd,
            rows=sum(run["rows_added"] for run in runs),
            requests=sum(run["requests"] for run in runs),
        )


def _text(amount: Decimal) -> str:
    return format(amount, "f")
