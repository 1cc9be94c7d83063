"""Read 31 days of a very large organisation as a worker does: time and memory of each report's window.

    .venv/bin/python -m bench.largest [--only analytics_cost] [--json]

The organisation is that of bench/requests.py: 40 workspaces, 400 keys and 300 people, all of them busy every day. One
process does what one thread of a worker does, so that what a window takes can be told from everything else.
"""

import argparse
import ctypes
import datetime as dt
import gc
import multiprocessing
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from bench import ground, requests
from bench.figures import Figure, print_table, to_json
from costs.periods import DayRange
from integrations.anthropic.client import AnthropicClient
from integrations.anthropic.streams import STREAMS
from integrations.http import HttpTransport
from integrations.simulator.keys import key_text

_READ = "usage_report,analytics_cost,analytics_usage"
# Days of Claude Code are a request each, and the others tell the same in other columns.
_MAY_BE_OFF = {
    *_READ.split(","),
    "claude_code",
    "analytics_cost_serving",
    "analytics_usage_serving",
    "api_keys",
    "users",
}
_ANALYTICS_NO_LIMIT = {
    "ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE": "60000",
    "ANTHROPIC_ANALYTICS_BURST": "10000",
}


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.largest", description=__doc__)
    parser.add_argument(
        "--only", default=_READ, help="reports beside the bill, with commas (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    arguments = parser.parse_args()
    streams = arguments.only.split(",")
    with _served(streams) as base_url:
        settings = {**ground.NO_LIMIT, **_ANALYTICS_NO_LIMIT, "ANTHROPIC_BASE_URL": base_url}
        settings["REPORTS_OFF"] = ",".join(_MAY_BE_OFF.difference(streams))
        with ground.started(organisations=25, settings=settings):
            figures = _measure()
            about = ground.machine()
    if arguments.json:
        print(to_json(about, {"A window of 31 days": figures}))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    print_table("A window of 31 days of a very large organisation", figures)


@contextmanager
def _served(streams: list[str]) -> Iterator[str]:
    """Serve the organisation from a process of its own, whose memory is not the worker's."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, streams), daemon=True)
    server.start()
    there.close()  # so that waiting for it ends when it does
    try:
        yield here.recv()
    finally:
        server.terminate()
        server.join()


def _serve(pipe: Pipe, streams: list[str]) -> None:
    requests.enlarge()
    with requests.served() as base_url:
        # Worked out once beforehand, so that no answer takes longer than a client waits.
        client = AnthropicClient(
            HttpTransport(base_url, timeout_seconds=600, total_deadline_seconds=600, user_agent="bench"),
            key_text(requests.SLUG, "admin"),
        )
        today = dt.datetime.now(dt.UTC).date()
        window = DayRange(today - dt.timedelta(days=30), today + dt.timedelta(days=1))  # a new connection's
        for stream in ("cost_report", *streams):
            client.fetch(STREAMS[stream].first_page(window))
        pipe.send(base_url)
        threading.Event().wait()


def _measure() -> list[Figure]:
    # Models exist only now that the servers' addresses are settings.
    from accounts.models import Account  # noqa: PLC0415
    from workers import lifecycle, turn  # noqa: PLC0415
    from workers.models import Lane, Page, SyncRun  # noqa: PLC0415

    account = Account.objects.create(name="Large")
    lifecycle.connect(account, lifecycle.NewConnection(key_text(requests.SLUG, "admin")), actor="bench")
    turn.REQUESTS_A_TURN = 1
    windows: dict[str, _Window] = {}
    before = _settled_bytes()
    for lane in Lane.objects.filter(runs__isnull=False).distinct():
        while SyncRun.objects.filter(lane=lane, status__in=SyncRun.ACTIVE).exists():
            Path("/proc/self/clear_refs").write_text(
                "5", encoding="ascii"
            )  # forgets the highest level so far
            begun, used = time.perf_counter(), time.process_time()
            if not turn.run_turn(lane.pk):
                raise SystemExit("A request was not made or failed: see the log above.")
            taken = time.perf_counter() - begun, time.process_time() - used
            window = windows.setdefault(Page.objects.latest("pk").step.stream, _Window())
            window.note(*taken, _status_bytes("VmHWM") - before)
            _settled_bytes()
    return [figure for stream, window in windows.items() for figure in window.figures(stream)]


@dataclass(slots=True)
class _Window:
    """What the requests of one window took; the longest is the last, which writes the facts."""

    requests: int = 0
    longest_seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_bytes: int = 0

    def note(self, seconds: float, processor_seconds: float, peak_bytes: int) -> None:
        self.requests += 1
        self.longest_seconds = max(self.longest_seconds, seconds)
        self.processor_seconds += processor_seconds
        self.peak_bytes = max(self.peak_bytes, peak_bytes)

    def figures(self, stream: str) -> list[Figure]:
        note = f"{self.requests} requests, {self.processor_seconds:.1f} s of processor together"
        return [
            Figure(f"{stream}: longest turn", self.longest_seconds, "s", note=note),
            Figure(f"{stream}: memory above the start", self.peak_bytes / 1e6, "MB"),
        ]


def _settled_bytes() -> int:
    """Give what was freed back to the system, so that one window does not hide behind another; return what is held."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _status_bytes("VmRSS")


def _status_bytes(name: str) -> int:
    found = re.search(
        rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE
    )
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main()
