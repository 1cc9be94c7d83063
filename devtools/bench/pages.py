"""Measures the pages at a million cost rows: python -m devtools.bench.pages [--rows N] [--quick] [--json].

Server time is what a request takes in the product's own process, from the first middleware to the last byte of the
page; beside it stands the processor time that it cost there and in PostgreSQL, which other work on the machine hardly
changes; the browser's figures are those of a real Chromium with an empty cache, and are left out where there is none.
Everything runs on embedded servers of its own that are thrown away afterwards.
"""

import argparse
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from devtools.bench import ground
from devtools.bench.figures import Figure, median, percentile, print_table, timed, to_json
from runtime import stack

if TYPE_CHECKING:
    from collections.abc import Sequence

_SERVER_MS, _PAINT_MS, _FIRST_VISIT_KB = 200, 1000, 350
_PATHS = (
    "/",
    "/?range=90d",
    "/?range=12m",
    "/explore/",
    "/explore/?range=7d",
    "/explore/?range=90d",
    "/explore/?range=12m",
    "/explore/?range=12m&granularity=day",
    "/explore/?group_by=workspace_id&then_by=model&rows=all",
    "/explore/?model=claude-opus-5&group_by=workspace_id",
    "/explore/movers/",
    "/explore/movers/?range=7d",
    "/explore/movers/?range=90d",
    "/explore/movers/?group_by=workspace_id",
    "/explore/?range=12m&group_by=api_key_id",
    "/explore/?range=90d&group_by=token_type",
    "/explore/?group_by=context_window",
    "/explore/?group_by=description",
    "/explore/filters/workspace_id/",
    "/explore/table.csv?group_by=workspace_id&rows=all",
    "/explore/?range=30d&metric=usd_per_million",
    "/explore/?range=30d&as_of=2026-11-20",
    "/usage/",
    "/usage/?range=90d",
    "/usage/?range=12m",
    "/usage/caching/",
    "/exports/",
    "/views/",
    "/dashboards/",
    "/connections/",
)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m devtools.bench.pages", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="cost rows (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="few rounds, and a tenth of the rows")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    arguments = parser.parse_args()
    rows, rounds = (arguments.rows // 10, 3) if arguments.quick else (arguments.rows, 9)
    with ground.started(organisations=1, settings=ground.NO_LIMIT) as place:
        # Models exist only now that the servers' addresses are settings.
        from devtools.bench import ledger  # noqa: PLC0415

        user = ledger.fill(rows)
        sections: dict[str, Sequence[Figure]] = {
            f"Server time at {rows:,} rows": _server_times(place, user, rounds),
            "First visit in Chromium, empty cache": _first_visits(place, user),
        }
        about = ground.machine()
    if arguments.json:
        print(to_json(about, sections))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    for title, figures in sections.items():
        print_table(title, figures)


def _server_times(place: ground.Ground, user: Any, rounds: int) -> list[Figure]:
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(user)
    figures = []
    for path in (*_PATHS, *_entities()):
        answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")
        used = _processor_ms(place)
        times = [timed(lambda path=path: client.get(path)) * 1000 for _ in range(rounds)]
        used = (_processor_ms(place) - used) / rounds
        note = f"processor {used:.0f} ms, p90 {percentile(times, 0.9):.0f} ms, {len(answer.content) / 1000:.0f} kB"
        figures.append(Figure(path, median(times), "ms", _SERVER_MS, at_least=False, note=note))
    return figures


def _processor_ms(place: ground.Ground) -> float:
    return (time.process_time() + place.cpu_seconds({})["postgres"]) * 1000


def _entities() -> list[str]:
    """Give the page of one connection, whose address is not known before."""
    from integrations.models import Connection  # noqa: PLC0415

    first = Connection.objects.order_by("label").first()
    return [f"/connections/{first.pk}/"] if first else []


def _first_visits(place: ground.Ground, user: Any) -> list[Figure]:
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415

        from tests.browser.conftest import find_chromium  # noqa: PLC0415
    except ImportError as error:
        print(f"no browser: {error}", file=sys.stderr)
        return []
    executable = find_chromium()
    if executable is None:
        print("no Chromium: the browser's figures are left out", file=sys.stderr)
        return []
    port = _free_port()
    place.start(stack.web(port))
    cookie = _session(user)
    figures: list[Figure] = []
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-quic"])
        _visit(browser, port, cookie, "/connections/")  # the first request of all loads the application
        for path in ("/", "/explore/", "/connections/"):
            figures += _visit(browser, port, cookie, path)
        browser.close()
    return figures


def _visit(browser: Any, port: int, cookie: dict[str, str], path: str) -> list[Figure]:
    """Open a page in a browser that has never been here; say when it painted and how much came over the wire."""
    base = f"http://127.0.0.1:{port}"
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{**cookie, "url": base}])
    page = context.new_page()
    received = [0]
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    ground.until(lambda: _listens(port), "the web server listens", seconds=60)
    page.goto(f"{base}{path}", wait_until="networkidle")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return [
        Figure(f"{path} first contentful paint", painted, "ms", _PAINT_MS, at_least=False),
        Figure(f"{path} transferred", sum(received) / 1000, "kB", _FIRST_VISIT_KB, at_least=False),
    ]


def _session(user: Any) -> dict[str, str]:
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
