"""Measures the web process under one viewer's load: python -m devtools.bench.load [--before FOLDER] [--quick] [--json].

1, 8, 32 and 128 clients of one signed-in viewer ask for the Explorer of twelve months, each as soon as it is answered; who
is told to come again does so when told. Each number of clients has its turn three times, so that other work on the machine
meets all of them; figures are medians or the worst of the three. Meanwhile somebody else opens the same page, and liveness is asked ten times a
second. At last 64 requests are dropped after half a second each. With `--before`, the same load first meets the web process
of another working copy, on the same database, in the same run.
"""

import argparse
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devtools.bench import ground
from devtools.bench.figures import Figure, median, percentile, print_table, to_json
from runtime import stack
from runtime.supervisor import ProcessSpec

_CLIENTS = (1, 8, 32, 128)
_TURNS = 3
_PAGE = "/explore/?range=12m"
_DROPPED, _DROPPED_AFTER_SECONDS = 64, 0.5
_LIVE_SECONDS, _GOODPUT = 1.0, 0.8
_PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class _Web:
    """A web process: where it listens, and the process that answers."""

    port: int
    worker: int


@dataclass(frozen=True, slots=True)
class _Load:
    """Who asks which web process, and for how long in each turn."""

    place: ground.Ground
    web: _Web
    viewer: str
    other: str
    seconds: float


@dataclass(slots=True)
class _Seen:
    """What the clients of one round saw."""

    good_seconds: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    live_seconds: list[float] = field(default_factory=list)
    other_seconds: list[float] = field(default_factory=list)
    other_failed: int = 0
    processor_seconds: float = 0.0


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m devtools.bench.load", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--before", type=Path, help="another working copy, to compare with")
    parser.add_argument("--rows", type=int, default=200_000, help="cost rows (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=6, help="of each turn (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, four seconds a turn")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    arguments = parser.parse_args()
    rows, seconds = (arguments.rows // 10, 4.0) if arguments.quick else (arguments.rows, arguments.seconds)
    copies = {"before": arguments.before} if arguments.before else {}
    with ground.started(organisations=1, settings=ground.NO_LIMIT) as place:
        # Models exist only now that the servers' addresses are settings.
        from devtools.bench import ledger  # noqa: PLC0415

        user = ledger.fill(rows)
        viewer, other = _session(user), _session(_colleague(user))
        sections: dict[str, list[Figure]] = {}
        for title, folder in {**copies, "now": stack.PROJECT}.items():
            with _serving(place, folder) as web:
                sections[title] = _measure(_Load(place, web, viewer, other, seconds))
        about = ground.machine()
    if arguments.json:
        print(to_json(about, dict(sections)))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    for title, figures in sections.items():
        print_table(title, figures)


@contextmanager
def _serving(place: ground.Ground, folder: Path) -> Iterator[_Web]:
    port = _free_port()
    argv = tuple(
        part.replace(str(stack.PROJECT / "runtime"), str(folder / "runtime")) for part in stack.web(port).argv
    )
    master = place.start(ProcessSpec("web", argv, folder))
    ground.until(lambda: _listens(port), "the web server listens", seconds=60)
    _get(port, "/healthz/live", "")
    worker = int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])
    try:
        yield _Web(port, worker)
    finally:
        place.stop("web")


def _measure(load: _Load) -> list[Figure]:
    port = load.web.port
    for cookie in (load.viewer, load.other):
        for _ in range(3):
            _get(port, _PAGE, cookie)  # the first requests of all load the application
    alone = [_get(port, _PAGE, load.viewer)[1] for _ in range(10)]
    figures = [Figure("the page on its own", median(alone) * 1000, "ms")]
    turns = [{clients: _turn(load, clients) for clients in _CLIENTS} for _ in range(_TURNS)]
    for clients in _CLIENTS:
        figures += _figures(clients, [turn[clients] for turn in turns], load.seconds)
    ratios = [len(turn[128].good_seconds) / max(len(turn[8].good_seconds), 1) for turn in turns]
    figures.append(Figure("goodput of 128 against 8 clients", median(ratios), "×", _GOODPUT))
    figures.append(
        Figure(f"liveness after {_DROPPED} requests were dropped, worst", _dropped(port, load.viewer), "s", _LIVE_SECONDS,
               at_least=False),
    )  # fmt: skip
    return figures


def _figures(clients: int, turns: list[_Seen], seconds: float) -> list[Figure]:
    good = [each for seen in turns for each in seen.good_seconds]
    used = sum(seen.processor_seconds for seen in turns) / max(
        len(good) + sum(len(seen.other_seconds) for seen in turns), 1
    )
    note = (
        f"median {median(good):.2f} s, {sum(seen.refused for seen in turns)} told to come again, "
        f"{sum(seen.failed for seen in turns)} failed, {used * 1000:.0f} ms of processor a page"
    )
    live = max(each for seen in turns for each in seen.live_seconds)
    others = [each for seen in turns for each in seen.other_seconds]
    return [
        Figure(f"{clients} client(s): pages", median([len(seen.good_seconds) / seconds for seen in turns]), "/s", note=note),
        Figure(f"{clients} client(s): liveness, worst", live, "s", _LIVE_SECONDS, at_least=False),
        Figure(f"{clients} client(s): the same page of somebody else, 95 of 100", percentile(others, 0.95), "s",
               note=f"{len(others)} asked, {sum(seen.other_failed for seen in turns)} failed"),
    ]  # fmt: skip


def _turn(load: _Load, clients: int) -> _Seen:
    port = load.web.port
    seen, begun = _Seen(), load.place.cpu_seconds({"web": load.web.worker})
    ends = time.monotonic() + load.seconds
    work: list[Callable[[], None]] = [
        lambda: _until(ends, lambda: _ask(port, load.viewer, seen, ends)) for _ in range(clients)
    ]
    work.append(lambda: _until(ends, lambda: _look_live(port, seen)))
    work.append(lambda: _until(ends, lambda: _open_as_other(port, load.other, seen)))
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    time.sleep(max(ends - time.monotonic(), 0))
    used = load.place.cpu_seconds({"web": load.web.worker})
    seen.processor_seconds = sum(used[name] - begun[name] for name in ("web", "postgres"))
    for thread in threads:
        thread.join()
    return seen


def _until(ends: float, work: Callable[[], None]) -> None:
    while time.monotonic() < ends:
        work()


def _ask(port: int, viewer: str, seen: _Seen, ends: float) -> None:
    try:
        status, took, wait = _get(port, _PAGE, viewer)
    except OSError:
        seen.failed += 1
        return
    if status == 200 and time.monotonic() <= ends:
        seen.good_seconds.append(took)
    elif status == 503:
        seen.refused += 1
        time.sleep(max(min(wait, ends - time.monotonic()), 0))
    elif status != 200:
        seen.failed += 1


def _look_live(port: int, seen: _Seen) -> None:
    seen.live_seconds.append(_get(port, "/healthz/live", "")[1])
    time.sleep(0.1)


def _open_as_other(port: int, other: str, seen: _Seen) -> None:
    status, took, _ = _get(port, _PAGE, other)
    seen.other_seconds.append(took)
    seen.other_failed += status != 200
    time.sleep(0.5)


def _dropped(port: int, viewer: str) -> float:
    """Ask for so many pages, leave, and return how long liveness took at most afterwards."""
    clients = []
    for number in range(_DROPPED):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(
            f"GET {_PAGE}&group_by=api_key_id&x={number} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={viewer}\r\n\r\n".encode()
        )
        clients.append(client)
    time.sleep(_DROPPED_AFTER_SECONDS)
    for client in clients:
        client.close()
    return max(_get(port, "/healthz/live", "")[1] for _ in range(10))


def _get(port: int, path: str, cookie: str) -> tuple[int, float, float]:
    """Read an answer; return its status, the seconds it took, and those to wait before asking again."""
    headers = {"Cookie": f"sessionid={cookie}"} if cookie else {}
    began = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)) as client:
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        answer.read()
        return answer.status, time.monotonic() - began, float(answer.getheader("Retry-After") or 0)


def _colleague(user: object) -> object:
    from accounts.models import Membership, Role, User  # noqa: PLC0415

    colleague = User.objects.create_user("colleague@example.com")
    account = Membership.objects.get(user=user).account
    Membership.objects.create(account=account, user=colleague, role=Role.VIEWER)
    return colleague


def _session(user: object) -> str:
    from django.test import Client  # noqa: PLC0415

    client = Client()
    client.force_login(user)  # type: ignore[arg-type]  # a user, which cannot be named before Django is set up
    return str(client.session.session_key)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
