"""Measures the exported files at a million cost rows: python -m devtools.bench.exports [--rows N] [--quick] [--json].

Each file is fetched from the product's own web process by a client that throws it away; memory is the worker's resident
peak, which the kernel counts anew for each file. Everything runs on embedded servers that are thrown away afterwards.
"""

import argparse
import http.client
import socket
import time
from pathlib import Path

from devtools.bench import ground
from devtools.bench.figures import Figure, print_table, to_json
from runtime import stack

_FILES = ("costs.csv", "focus.csv", "usage.csv", "costs.parquet")
# Ten thousand rows of a Parquet file are held at once, and the library that writes it.
_PEAK_MB = 250
_READ_BYTES = 1 << 20


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m devtools.bench.exports", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="cost rows (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    arguments = parser.parse_args()
    rows = arguments.rows // 10 if arguments.quick else arguments.rows
    with ground.started(organisations=1, settings=ground.NO_LIMIT) as place:
        # Models exist only now that the servers' addresses are settings.
        from accounts import tokens  # noqa: PLC0415
        from accounts.models import Membership, Role  # noqa: PLC0415
        from accounts.tokens import Terms  # noqa: PLC0415
        from devtools.bench import ledger  # noqa: PLC0415

        user = ledger.fill(rows)
        account = Membership.objects.get(user=user).account
        _, token = tokens.issue(account, user, Terms("bench", Role.VIEWER), actor="bench")
        port = _free_port()
        master = place.start(stack.web(port))
        ground.until(lambda: _listens(port), "the web server listens", seconds=60)
        _fetch(port, token, "/api/v1/connections/")
        worker = int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])
        idle = _peak_mb(worker)
        figures = [Figure("web worker before", idle, "MB")]
        for name in _FILES:
            figures += _measure(port, token, worker, name)
        sections = {f"Exports at {rows:,} cost rows": figures}
        about = ground.machine()
    if arguments.json:
        print(to_json(about, sections))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    for title, found in sections.items():
        print_table(title, found)


def _measure(port: int, token: str, worker: int, name: str) -> list[Figure]:
    # 5: the peak counts from now on (man 5 proc).
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    begun = time.perf_counter()
    first, size = _fetch(port, token, f"/api/v1/exports/{name}?from=2025-01-01&to=2027-01-01")
    seconds = time.perf_counter() - begun
    peak = Figure(f"{name}: peak memory of the web worker", _peak_mb(worker), "MB", _PEAK_MB, at_least=False)
    return [Figure(name, seconds, "s", note=f"first byte {first:.2f} s, {size / 1e6:.0f} MB"), peak]


def _fetch(port: int, token: str, path: str) -> tuple[float, int]:
    """Read an answer to its end; return seconds until its first byte, and its size."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=1200)
    begun = time.perf_counter()
    client.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = client.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {answer.read()!r}")
    size = len(answer.read(1))
    first = time.perf_counter() - begun
    while part := answer.read(_READ_BYTES):
        size += len(part)
    client.close()
    return first, size


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
