# ruff: noqa: N999 - gunicorn looks for this name
"""How gunicorn runs the web process, the same in `up`, in the Procfile and in the container."""

import importlib.util
import os
import signal
from pathlib import Path
from typing import Any

from gunicorn import glogging

from runtime import rooms
from runtime.child import die_with_parent

# The one module of another room, without the package around it: that would load Celery and half of Django here.
_found = importlib.util.spec_from_file_location(
    "gunicorn_logs", Path(__file__).resolve().parent.parent / "foundation/logs.py"
)
assert _found  # noqa: S101 - the path ends in .py
assert _found.loader  # noqa: S101 - so it has one
_logs = importlib.util.module_from_spec(_found)
_found.loader.exec_module(_logs)

# gthread, with rooms, lines and an end to waiting.
worker_class = "runtime.web_worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
threads = sum(size.threads for size in rooms.SIZES.values())
# Half of the files that a process usually may open: databases, Redis and the product need some as well.
worker_connections = 512
# Of a worker that hangs, and for one write to a client. Proxies usually wait as long.
timeout = 60
graceful_timeout = 8
keepalive = 5
# The most it can do; shorter limits are foundation.request_guards's, which answers programs in their own form.
limit_request_line = 8190
# Its control socket is a file in the working folder, which read-only containers refuse (gunicorn 27).
control_socket_disable = True
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a memory file system
accesslog = None
errorlog = "-"
# From the master's first line on, long before a worker reads Django's settings, which say the same.
_logs.take_over(
    _logs.configure(os.environ.get("LOG_FORMAT") or "json", (os.environ.get("LOG_LEVEL") or "INFO").upper())
)


class Logger(glogging.Logger):
    """Hands events on to the log of the process, instead of writing lines of its own."""

    def setup(self, cfg: Any) -> None:
        """Take away what the options have set up; with `logconfig_dict` gunicorn would log every request."""
        super().setup(cfg)  # type: ignore[no-untyped-call]
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = Logger


def post_fork(server: Any, worker: Any) -> None:
    """End a worker at once when its master is killed, instead of at its next look a second later."""
    del worker
    die_with_parent(server.pid, signal.SIGKILL)
