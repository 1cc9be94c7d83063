"""The processes of the product, as `up` and `demo` run them: web, workers, beat; each a ProcessSpec."""

import http.client
import os
import socket
import sys
import time
from pathlib import Path

from runtime import environment
from runtime.supervisor import ProcessSpec, Supervisor

PROJECT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
_WORKER_SECONDS = 20.0  # the soft shutdown of config.celery: a request in flight may end
_WORKER_BYTES = (
    400_000_000  # about 100 MB, and 180 more while the largest window is written (devtools.bench.largest)
)
_READY_SECONDS = 60.0


class PortError(RuntimeError):
    """The port cannot be used; the message says why."""


def web(port: int) -> ProcessSpec:
    """Give the web server on the loopback address."""
    configuration = str(PROJECT / "runtime" / "gunicorn.conf.py")
    argv = (sys.executable, "-m", "gunicorn", "config.wsgi:application", "--config", configuration)
    return ProcessSpec("web", (*argv, "--bind", f"{LOOPBACK}:{port}"), PROJECT, stop_seconds=10)


def beat(home: Path) -> ProcessSpec:
    """Give the clock that rings every second; its schedule file may be lost at any time."""
    argv = (*_celery("beat"), "--schedule", str(home / "beat-schedule"))
    return ProcessSpec("beat", argv, PROJECT, stop_seconds=5)


def worker(number: int = 1) -> ProcessSpec:
    """Give a worker of 16 threads; several need different numbers."""
    options = ("--pool", "threads", "-c", "16", "--without-gossip", "--without-mingle", "-O", "fair")
    argv = (*_celery("worker"), *options, "-Q", "ticks,lanes", "-n", f"worker-{number}@%h")
    return ProcessSpec(
        f"worker-{number}", argv, PROJECT,
        stop_seconds=_WORKER_SECONDS, recycle_above_bytes=_WORKER_BYTES,
    )  # fmt: skip


def _celery(command: str) -> tuple[str, ...]:
    # Through the interpreter, not bin/celery: a moved virtual environment has scripts that point nowhere.
    return (sys.executable, "-m", "config.celery_main", command, "-l", "INFO")


def address_of(port: int) -> str:
    """Give the address under which people reach the web server on a port, without a slash at its end."""
    return f"http://{LOOPBACK}:{port}"


def tell_address(port: int) -> None:
    """
    Have links in pages and mails lead to the web server on this port, unless somebody has set another PUBLIC_URL.

    Effects: the environment of this process, for those that it starts from now on and for commands that attach to it
    """
    os.environ.update(environment.missing({"PUBLIC_URL": address_of(port)}))


def check_port(port: int) -> None:
    """
    See that we may listen on a port.

    Raises:  PortError, with a sentence for the person.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise PortError(
                f"Port {port} is reserved for root; choose one above 1023 with --port."
            ) from error
        except OSError as error:
            raise PortError(
                f"Port {port} is in use by another program; choose another one with --port."
            ) from error


def wait_until_live(supervisor: Supervisor, port: int) -> bool:
    """Wait until the web server answers /healthz/live with 200; False after a minute without that."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if supervisor.pid("web") and _answers(port):
            return True
        time.sleep(0.1)
    return False


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/healthz/live")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
