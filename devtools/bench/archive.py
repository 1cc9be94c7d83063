"""Measure what an archived page costs in bytes and time, by codec, on the simulator's answers.

    .venv/bin/python -m devtools.bench.archive [--seed 1] [--rounds 3]

Prints the table of docs/performance.md, "Page archive". Needs no database and no Redis.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
import time
import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from devtools.simulator.process import Simulator
from foundation.periods import DayRange
from integrations.anthropic.client import AnthropicClient
from integrations.anthropic.report_specs import COST_REPORT
from integrations.http import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from integrations.pages import Page

TODAY = date(2026, 11, 20)
DAYS = 365
REREAD_DAYS = 7
# A day of every week stands for the daily syncs of a year: the same bytes a page, a seventh of the wait.
EVERY = 7
SIZES = {"small": "acorn-studio", "medium": "birch-logistics", "large": "cedar-group"}
CODECS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zlib 1": (lambda body: zlib.compress(body, 1), zlib.decompress),
    "zlib 6": (lambda body: zlib.compress(body, 6), zlib.decompress),
    "zlib 9": (lambda body: zlib.compress(body, 9), zlib.decompress),
    "lzma 6": (lambda body: lzma.compress(body, preset=6), lzma.decompress),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes of all pages together; milliseconds of processor time for one page on average, the best of the rounds."""

    compressed_bytes: int
    compress_ms: float
    decompress_ms: float


def backfill() -> Iterator[DayRange]:
    """Give the windows of a new connection's year, as the engine cuts them."""
    yield from DayRange(TODAY - timedelta(days=DAYS), TODAY).split_newest_first(
        COST_REPORT.max_window_days or DAYS
    )


def daily() -> Iterator[DayRange]:
    """Give the windows of the daily syncs of a year: yesterday and the days that may be restated."""
    for ago in range(0, DAYS, EVERY):
        end = TODAY - timedelta(days=ago)
        yield DayRange(end - timedelta(days=REREAD_DAYS), end)


def fetch(client: AnthropicClient, windows: Iterator[DayRange]) -> list[Page]:
    """Fetch all pages of the windows, with the requests that the engine sends."""
    pages = []
    for window in windows:
        request = COST_REPORT.first_page(window)
        while request is not None:
            page = client.fetch(request)
            pages.append(page)
            request = COST_REPORT.next_page(request, page)
    return pages


def measure(codec: str, bodies: list[bytes], rounds: int) -> Measured:
    """Compress and decompress every body by itself, as the archive does."""
    compress, decompress = CODECS[codec]
    packed = [compress(body) for body in bodies]
    if [decompress(body) for body in packed] != bodies:
        raise ValueError(f"{codec} does not give back what it was given")
    return Measured(
        sum(map(len, packed)),
        best_ms(compress, bodies, rounds) / len(bodies),
        best_ms(decompress, packed, rounds) / len(bodies),
    )


def best_ms(work: Callable[[bytes], bytes], items: list[bytes], rounds: int) -> float:
    """Take the processor time of the work on all items; the best round is the one least disturbed by others."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for item in items:
            work(item)
        best = min(best, time.process_time() - started)
    return best * 1000


def metadata_bytes(pages: list[Page]) -> int:
    """Estimate what a page's row holds beside its body: request, ids, hash, times and the row header."""
    fixed = 24 + 32 + 8 * 6
    texts = (
        len(page.request.path) + len(json.dumps(page.request.query)) + len(page.request_id or "")
        for page in pages
    )
    return fixed + sum(texts) // len(pages)


def report(client: AnthropicClient, size: str, kind: str, windows: Iterator[DayRange], rounds: int) -> None:
    pages = fetch(client, windows)
    bodies = [page.body for page in pages]
    raw = sum(map(len, bodies))
    for codec in CODECS:
        found = measure(codec, bodies, rounds)
        print(
            f"| {size} | {kind} | {len(pages)} | {raw / len(pages) / 1000:,.1f} | {codec} "
            f"| {found.compressed_bytes / len(pages) / 1000:,.1f} | {raw / found.compressed_bytes:.1f} "
            f"| {found.compress_ms:.2f} | {found.decompress_ms:.2f} |"
        )
    print(f"{size}, {kind}: about {metadata_bytes(pages)} bytes a row beside the body", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(
        "| Organisation | Windows | Pages | Raw kB a page | Codec | Stored kB a page | Ratio | Compress ms | Decompress ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with Simulator.start(seed=options.seed, today=TODAY) as simulator:
        transport = HttpTransport(simulator.base_url, timeout_seconds=60, user_agent="bench")
        for size, slug in SIZES.items():
            client = AnthropicClient(transport, simulator.organisations(organisation=slug)[0]["admin_key"])
            report(client, size, "backfill", backfill(), options.rounds)
            report(client, size, "daily", daily(), options.rounds)


if __name__ == "__main__":
    main()
