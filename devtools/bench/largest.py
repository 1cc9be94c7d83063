"""Measures the largest window there is: python -m devtools.bench.largest [--stream analytics_cost].

The organisation of `bench.requests`, 40 workspaces, 400 keys and 300 people, all busy every day, is connected, and one window of
its newest month is fetched and archived but for its last page. A fresh process then does what a worker does with that page:
unpacks, normalises and writes the whole window in one transaction. Seconds, processor time and memory are of that process alone.
Embedded servers of its own are thrown away afterwards.
"""

import argparse
import datetime as dt
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import django

from devtools.bench import ground
from devtools.bench.figures import Figure, print_table, to_json
from devtools.bench.requests import SLUG, enlarge, served
from devtools.simulator.keys import key_text


def main() -> None:
    """Measure, print; with `--take` be the process that is measured."""
    parser = argparse.ArgumentParser(
        prog="python -m devtools.bench.largest", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--stream", default="analytics_cost", help="the report (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--take", nargs=2, metavar=("STEP", "PAGE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.take:
        _take(*arguments.take)
        return
    enlarge()
    with (
        ground.started(organisations=1, settings=ground.NO_LIMIT),
        served(dt.datetime.now(dt.UTC)) as address,
        tempfile.TemporaryDirectory() as folder,
    ):
        step, page, pages = _fetch(arguments.report_name, address)
        held = Path(folder) / "page"
        held.write_bytes(pickle.dumps(page))
        program = [sys.executable, "-m", "devtools.bench.largest", "--take", str(step.pk), str(held)]
        told = subprocess.run(program, check=True, capture_output=True, text=True).stdout  # noqa: S603
        figures = _figures(json.loads(told.splitlines()[-1]), pages)
        about = ground.machine()
    if arguments.json:
        print(to_json(about, {arguments.report_name: figures}))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    print_table(f"One window of {arguments.report_name}", figures)


def _fetch(name: str, address: str) -> tuple[Any, Any, int]:
    """Connect, and archive the newest window of the report; give its step, its last page and how many pages it has."""
    from django.conf import settings  # noqa: PLC0415 - only on the ground
    from django.db import transaction  # noqa: PLC0415

    from accounts.models import Account  # noqa: PLC0415
    from foundation.periods import DayRange  # noqa: PLC0415
    from integrations import connections  # noqa: PLC0415
    from integrations.anthropic.report_specs import REPORT_SPECS  # noqa: PLC0415
    from workers import archive, lifecycle, runs  # noqa: PLC0415
    from workers.clock import database_now  # noqa: PLC0415
    from workers.models import SyncStep  # noqa: PLC0415

    settings.ANTHROPIC_BASE_URL = address
    account = Account.objects.create(name="Largest")
    connection = lifecycle.connect(account, lifecycle.NewConnection(api_key=key_text(SLUG)), actor="bench")
    with transaction.atomic():
        for lane in set(connection.runs.values_list("lane_id", flat=True)):
            runs.plan_missing(lane)
    steps = SyncStep.objects.filter(run__connection=connection, report_name=name)
    step = steps.select_related("run__lane").latest("window_end")
    spec, client = REPORT_SPECS[name], connections.open_client(connection)
    request, sequence = spec.first_page(DayRange(step.window_start, step.window_end)), 1
    while True:
        page = client.fetch(request)
        following = spec.next_page(request, page)
        if following is None:
            return step, page, sequence
        archive.store(step, page, requested_at=database_now())
        step.cursor, step.query_hash = page.next_cursor, page.request.query_hash()
        step.save()
        request, sequence = following, sequence + 1


def _take(step_id: str, page: str) -> None:
    """Do what a worker does with the last page of a window, and print what it took."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.db import connection as database  # noqa: PLC0415

    from workers import lanes, outcomes, tasks  # noqa: F401, PLC0415 - what a worker has loaded before the first page
    from workers.clock import database_now  # noqa: PLC0415
    from workers.models import Lane, SyncStep  # noqa: PLC0415

    step = SyncStep.objects.select_related("run__lane", "run__connection").get(pk=step_id)
    Lane.objects.filter(pk=step.run.lane_id).update(state=Lane.State.WOKEN, due_at=database_now())
    lease = lanes.claim(step.run.lane_id)
    if lease is None:
        raise RuntimeError("the lane cannot be claimed")
    last = pickle.loads(Path(page).read_bytes())  # noqa: S301 - written a moment ago by ourselves
    before, begun, used = _peak_bytes(), time.perf_counter(), time.process_time()
    outcomes.record_page(lease, step, last, requested_at=database_now())
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    step.refresh_from_db()
    if step.status != SyncStep.Status.DONE:
        raise RuntimeError(f"the step is {step.status}: {step.run.detail}")
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM costs_costfact UNION ALL SELECT count(*) FROM costs_usagefact")
        rows = sum(count for (count,) in cursor.fetchall())
    print(
        json.dumps(
            {
                "seconds": seconds, "processor": processor, "rows": rows,
                "before": before, "peak": _peak_bytes(),
            }
        )
    )  # fmt: skip


def _peak_bytes() -> int:
    # Not ru_maxrss: that one remembers the parent's memory over the start of the program.
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024  # type: ignore[index]


def _figures(told: dict[str, float], pages: int) -> list[Figure]:
    return [
        Figure("pages", pages, ""),
        Figure("rows written, sums of days apart", told["rows"], ""),
        Figure("from the last page to the commit", told["seconds"], "s", 120, at_least=False, note="a lease"),
        Figure("  … processor time of the worker", told["processor"], "s"),
        Figure("memory of the process before", told["before"] / 1e6, "MB"),
        Figure("  … at its peak", told["peak"] / 1e6, "MB"),
    ]


if __name__ == "__main__":
    main()
