"""Starts the simulator as a process and speaks its control interface, for tests and the demo; standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_Read = TypeVar("_Read")

_PROJECT_ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true in a range of days, in USD; `groups` is keyed by value, or by a tuple of values for several."""

    total_usd: Decimal
    days: dict[date, Decimal]
    rows: int
    groups: dict[Any, Decimal]
    detail: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class UsageTruth:
    """What was truly used: counts by name, as whole and by value (or a tuple of values) of the dimensions asked for."""

    totals: dict[str, int]
    groups: dict[Any, dict[str, int]]


@dataclass(frozen=True, slots=True)
class AnalyticsTruth:
    """What analytics must show, in USD after and before discount; `days` and `groups` hold pairs of the two."""

    total_usd: Decimal
    list_usd: Decimal
    days: dict[date, tuple[Decimal, Decimal]]
    groups: dict[Any, tuple[Decimal, Decimal]]


class Simulator:
    """A running simulator; use it as a context manager, or call `stop`."""

    def __init__(self, process: subprocess.Popen[str], base_url: str) -> None:
        self.base_url = base_url
        self.pid = process.pid
        self._process = process
        # The control interface is on this machine: a proxy from the environment must not come between.
        self._opener = build_opener(ProxyHandler({}))

    @classmethod
    def start(cls, **options: Any) -> Self:
        """Start a process and wait until it listens.

        Options are those of the command line, as `seed=1, today=date(2026, 11, 20), organisations=100, port=0`.
        Raises: RuntimeError when the process ends instead of listening.
        """
        command = [sys.executable, "-m", "devtools.simulator", "--with-parent", str(os.getpid())]
        for name, value in options.items():
            if value is not None:
                command += [
                    f"--{name.replace('_', '-')}",
                    value.isoformat() if isinstance(value, date) else str(value),
                ]
        process = subprocess.Popen(command, cwd=_PROJECT_ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None  # noqa: S101 — asked for above
        line = process.stdout.readline()
        if not line:
            process.stdout.close()
            raise RuntimeError(f"the simulator ended with status {process.wait()} before it listened")
        return cls(process, json.loads(line)["base_url"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process and wait for it; harmless when it has ended already."""
        self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def truth(
        self,
        organisation: str,
        first: date | None = None,
        last: date | None = None,
        *,
        group_by: str | tuple[str, ...] = (),
        detail: bool = False,
    ) -> Truth:
        """Return the true cost of days `first` (inclusive) to `last` (exclusive); by default all there are."""
        names = (group_by,) if isinstance(group_by, str) else group_by
        pairs = [("organisation", organisation), *(("group_by", name) for name in names)]
        pairs += [(name, day.isoformat()) for name, day in (("from", first), ("to", last)) if day is not None]
        answer = self.control("GET", "truth", [*pairs, *([("detail", "rows")] if detail else [])])
        groups = {
            tuple(group[name] for name in names): Decimal(group["total_usd"])
            for group in answer.get("groups", ())
        }
        return Truth(
            Decimal(answer["total_usd"]),
            {date.fromisoformat(day): Decimal(amount) for day, amount in answer["days"].items()},
            answer["rows"],
            {values[0] if len(values) == 1 else values: amount for values, amount in groups.items()},
            answer.get("detail", []),
        )

    def usage_truth(
        self, organisation: str, first: date, last: date, *, group_by: str | tuple[str, ...] = ()
    ) -> UsageTruth:
        """Return the true token counts of days `first` (inclusive) to `last` (exclusive)."""
        answer = self._sums("truth/usage", (organisation, first, last), group_by)
        return UsageTruth(_counts(answer), _by_group(answer, group_by, _counts))

    def analytics_truth(
        self, organisation: str, first: date, last: date, *, group_by: str | tuple[str, ...] = ()
    ) -> AnalyticsTruth:
        """Return the true amounts, as the analytics reports have them, of days `first` to `last` (exclusive)."""
        answer = self._sums("truth/analytics", (organisation, first, last), group_by)
        days = {date.fromisoformat(day): _amounts(sums) for day, sums in answer["days"].items()}
        return AnalyticsTruth(*_amounts(answer), days, _by_group(answer, group_by, _amounts))

    def _sums(
        self, path: str, asked: tuple[str, date, date], group_by: str | tuple[str, ...]
    ) -> dict[str, Any]:
        organisation, first, last = asked
        names = (group_by,) if isinstance(group_by, str) else group_by
        pairs = [("organisation", organisation), ("from", first.isoformat()), ("to", last.isoformat())]
        answer: dict[str, Any] = self.control("GET", path, [*pairs, *(("group_by", name) for name in names)])
        return answer

    def organisations(self, **query: Any) -> list[dict[str, Any]]:
        """Return organisations with their keys and workspaces; `organisation=`, `limit=` and `offset=` choose."""
        found: list[dict[str, Any]] = self.control("GET", "organisations", list(query.items()))
        return found

    def requests(self, *, organisation: str | None = None, since_seq: int = 0) -> list[dict[str, Any]]:
        """Return the log of requests after `since_seq`, oldest first."""
        pairs = [("since_seq", since_seq), *([("organisation", organisation)] if organisation else [])]
        found: list[dict[str, Any]] = self.control("GET", "requests", pairs)
        return found

    def clear_requests(self) -> None:
        """Empty the log."""
        self.control("POST", "requests/clear")

    def fault(self, kind: str, **fields: Any) -> int:
        """Order a fault and return its number; fields as in the README's table."""
        number: int = self.control("POST", "faults", body={"kind": kind, **fields})["id"]
        return number

    def faults(self) -> list[dict[str, Any]]:
        """Return the ordered faults with how often each has struck."""
        found: list[dict[str, Any]] = self.control("GET", "faults")
        return found

    def clear_faults(self) -> None:
        """Forget all ordered faults."""
        self.control("DELETE", "faults")

    def world(self, organisation: str, action: str, **fields: Any) -> dict[str, Any]:
        """Change the world and return what changed."""
        body = {"organisation": organisation, "action": action, **fields}
        done: dict[str, Any] = self.control("POST", "world", body=body)
        return done

    def set_clock(self, now: datetime | str | None = None, *, offset_seconds: float = 0) -> None:
        """Freeze the clock at `now`, or let it run at an offset from real time."""
        moment = now.isoformat() if isinstance(now, datetime) else now
        self.control("POST", "clock", body={"now": moment, "offset_seconds": offset_seconds})

    def set_limit(self, per_minute: float | None, burst: int = 1, *, organisation: str | None = None) -> None:
        """Enforce a rate limit with 429, or lift it with None."""
        self.control(
            "POST", "limits", body={"per_minute": per_minute, "burst": burst, "organisation": organisation}
        )

    def rate(
        self, per_minute: float | str, burst: int, *, organisation: str | None = None, path: str = ""
    ) -> dict[str, Any]:
        """Judge the log: `ok` and the worst `excess` in requests over any interval, of the worst organisation."""
        pairs = [("per_minute", per_minute), ("burst", burst), ("path", path)]
        verdict: dict[str, Any] = self.control(
            "GET", "rate", [*pairs, *([("organisation", organisation)] if organisation else [])]
        )
        return verdict

    def control(
        self, method: str, path: str, query: list[tuple[str, Any]] | None = None, *, body: Any = None
    ) -> Any:
        """Call the control interface; raises urllib's HTTPError when it refuses."""
        url = f"{self.base_url}/_sim/{path}?{urlencode(query or [])}"
        data = None if body is None else json.dumps(body, default=str).encode()
        with self._opener.open(Request(url, data=data, method=method), timeout=_TIMEOUT_SECONDS) as response:
            return json.load(response)


def _counts(answer: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in answer.items() if isinstance(value, int)}


def _amounts(answer: dict[str, Any]) -> tuple[Decimal, Decimal]:
    return Decimal(answer["amount_usd"]), Decimal(answer["list_amount_usd"])


def _by_group(
    answer: dict[str, Any], group_by: str | tuple[str, ...], read: Callable[[dict[str, Any]], _Read]
) -> dict[Any, _Read]:
    if isinstance(group_by, str):
        return {group[group_by]: read(group) for group in answer.get("groups", ())}
    return {tuple(group[name] for name in group_by): read(group) for group in answer.get("groups", ())}
