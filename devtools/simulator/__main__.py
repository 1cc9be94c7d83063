"""Starts one simulator: reads the command line, prints one JSON line when it listens, ends when told to."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import TYPE_CHECKING

from .clock import SimulatorClock, parse_instant
from .control import PREFIX, Control
from .server import SimulatorServer
from .service import Service

if TYPE_CHECKING:
    from types import FrameType

    from .wire import Request, Response

_PARENT_POLL_SECONDS = 0.2


def main() -> None:
    """Serve until SIGTERM, SIGINT or the parent's end."""
    arguments = _parse(sys.argv[1:])
    # Handlers of the main thread run between bytecodes, also while it waits; the process holds nothing worth saving.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    if arguments.with_parent:
        threading.Thread(target=_follow_parent, args=(arguments.with_parent,), daemon=True).start()
    service = Service(arguments.seed, arguments.organisations, _clock(arguments))
    control = Control(service)

    def answer(request: Request) -> Response:
        return control.answer(request) if request.path.startswith(PREFIX) else service.answer(request)

    with SimulatorServer((arguments.host, arguments.port), answer) as server:
        port = server.server_address[1]
        host = "127.0.0.1" if arguments.host in ("", "0.0.0.0") else arguments.host  # noqa: S104 — compared, not bound
        line = {"base_url": f"http://{host}:{port}", "port": port, "pid": os.getpid()}
        print(json.dumps(line), flush=True)
        server.serve_forever(poll_interval=3600)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m devtools.simulator", description="A simulated Anthropic organisation API."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another world")
    parser.add_argument("--organisations", type=int, default=25, help="how many exist (default 25)")
    moment = parser.add_mutually_exclusive_group()
    moment.add_argument("--today", type=date.fromisoformat, help="stand still at noon UTC of this day")
    moment.add_argument("--now", type=parse_instant, help="stand still at this RFC 3339 moment")
    parser.add_argument("--with-parent", type=int, metavar="PID", help="end when this process ends")
    return parser.parse_args(arguments)


def _clock(arguments: argparse.Namespace) -> SimulatorClock:
    if arguments.today is not None:
        return SimulatorClock(datetime.combine(arguments.today, time_of_day(12), UTC))
    return SimulatorClock(arguments.now)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _follow_parent(pid: int) -> None:
    # A parent that died unreaped still answers signal 0, but is no longer our parent: that is the better sign.
    is_child = os.getppid() == pid
    while os.getppid() == pid if is_child else _exists(pid):
        time.sleep(_PARENT_POLL_SECONDS)
    os._exit(0)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    main()
