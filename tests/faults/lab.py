"""The fault lab: the product's processes on servers of their own, a simulated upstream, and ways to break them.

Acts from outside only: signals, sockets, the REST API, SQL and Redis commands that an operator could type.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import psycopg
import pytest
from celery import Celery

from devtools.demo.api import Api
from devtools.simulator.process import Simulator
from foundation.queues import KEY_PREFIX
from runtime import environment, folders, processes, stack
from runtime.processes import Process, Program
from runtime.supervisor import ProcessSpec
from tests.conftest import BILL_ONLY
from tests.faults import servers
from tests.faults.proxy import Proxy
from tests.faults.servers import Servers
from tests.ports import free_port

# Two requests a second and four saved up: a year's backfill takes some seconds, so a fault can strike in
# the middle of it, and one request too many is half a second, far above the jitter of a shared machine.
PER_MINUTE, BURST = 120, 4
LEASE_SECONDS, WAKE_SECONDS = 4, 2
_LIMITS = {
    "ANTHROPIC_REQUESTS_PER_MINUTE": str(PER_MINUTE),
    "ANTHROPIC_BURST": str(BURST),
    "ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE": str(PER_MINUTE),
    "ANTHROPIC_ANALYTICS_BURST": str(BURST),
    # The bill and the workspaces: every fault strikes the engine that all reports share.
    "REPORTS_OFF": ",".join(BILL_ONLY),
    "ANTHROPIC_TIMEOUT_SECONDS": "3",  # below the lease, as by default
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "WAKE_SECONDS": str(WAKE_SECONDS),
    "DAILY_JITTER_SECONDS": "0",
    # Just passed: the next daily sync of a connection is nearly a day away, unless a test moves it.
    "DAILY_SYNC_UTC": "00:00",
    "LOG_LEVEL": "INFO",
}
IS_FULL = os.environ.get("TALLYSTICK_FAULTS") == "full"
YEAR, MONTH = 365, 30
_NAMED = 10  # organisations with names of their own, and a few more: other tests know them
long_form = pytest.mark.skipif(not IS_FULL, reason="only with TALLYSTICK_FAULTS=full")


@dataclass(frozen=True, slots=True)
class Connected:
    """One connection of the lab and what its organisation is called upstream."""

    id: str
    slug: str
    organization_id: str
    key: str


class Lab:
    """Everything that one test breaks; made by `opened`, emptied between tests by `reset`."""

    def __init__(self, running: Servers, simulator: Simulator) -> None:
        self.servers = running
        self.simulator = simulator
        self.chance = random.Random()  # both belong to one test
        self.recoveries: dict[str, float] = {}
        host, _, port = simulator.base_url.removeprefix("http://").partition(":")
        self.upstream_path = Proxy((host, int(port)))
        self.logs = running.base / "logs"
        self.logs.mkdir(mode=0o700, exist_ok=True)
        home = running.base / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        self.base_environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)},
            **environment.new_secrets(),
            **_LIMITS,
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.upstream_path.port}",
            "TALLYSTICK_HOME": str(home),
        }
        self.environment = {
            **self.base_environment,
            "DATABASE_URL": running.proxied_database_url,
            "REDIS_URL": running.proxied_redis_url,
        }
        self.direct_environment = {
            **self.base_environment,
            "DATABASE_URL": running.postgres.url,
            "REDIS_URL": running.redis.url,
        }
        self.processes: dict[str, Process] = {}
        self._log_starts: dict[str, int] = {}
        self._test_starts: dict[str, int] = {}
        self._odd: set[str] = set()  # started with settings of one test
        self._secrets: set[str] = set()
        self._unused: dict[str, list[str]] = {}
        self.port = free_port()
        self.token = ""

    @property
    def api(self) -> Api:
        """The product's API, as a program uses it."""
        return Api(stack.LOOPBACK, self.port, self.token)

    # Processes

    def start_worker(self, number: int = 1, *, wait: bool = True, **changed: str) -> Process:
        """Start one worker; usually wait until it takes messages."""
        name = f"worker-{number}"
        log = self.logs / f"{name}.log"
        self._log_starts[name] = log.stat().st_size if log.exists() else 0
        process = self._start(stack.worker(number), {**self.environment, **changed})
        self._odd |= {name} if changed else set()
        if wait:
            self.eventually(lambda: self.is_ready(name) or process.poll() is not None, f"{name} is ready")
        return process

    def is_ready(self, name: str) -> bool:
        """Say whether a worker has said, since its start, that it takes messages."""
        with (self.logs / f"{name}.log").open("rb") as log:
            log.seek(self._log_starts[name])
            return b" ready." in log.read()

    def start_beat(self, number: int = 1, **changed: str) -> Process:
        """Start one beat; each has a schedule file of its own, as on another machine."""
        folder = self.servers.base / f"beat-{number}"
        folder.mkdir(exist_ok=True)
        spec = stack.beat(folder)
        named = ProcessSpec(f"beat-{number}", spec.argv, spec.folder)
        self._odd |= {named.name} if changed else set()
        return self._start(named, {**self.environment, **changed})

    def start_web(self, **changed: str) -> Process:
        """Start the web server and wait until it answers."""
        process = self._start(stack.web(self.port), {**self.direct_environment, **changed})
        self._odd |= {"web"} if changed else set()
        self.eventually(self._is_live, "the web server answers")
        return process

    def run_engine(self, workers: int = 1) -> None:
        """Have exactly so many healthy workers, and one beat."""
        wanted = {"web", "beat-1", *(f"worker-{number + 1}" for number in range(workers))}
        for name in set(self.processes) - wanted:
            self.kill(name)
        for number in range(1, workers + 1):
            if not self.is_alive(f"worker-{number}"):
                self.start_worker(number)
        if not self.is_alive("beat-1"):
            self.start_beat()

    def is_alive(self, name: str) -> bool:
        """Say whether a process runs."""
        return name in self.processes and self.processes[name].poll() is None

    def kill(self, name: str) -> None:
        """kill -9, with everything the process started."""
        processes.kill(self.processes.pop(name))
        self._odd.discard(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send any signal to the process itself."""
        os.kill(self.processes[name].pid, number)

    @contextlib.contextmanager
    def frozen(self, pid: int | None) -> Iterator[None]:
        """Stop a process for the time of the block."""
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def fallen(self) -> list[str]:
        """Name the processes that ended without being asked to."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def manage(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a management command on a path that no fault touches."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=stack.PROJECT, text=True, capture_output=True,
            env={**self.direct_environment, **changed}, check=False, timeout=120,
        )  # fmt: skip

    def log(self, name: str) -> str:
        """Read what a process wrote since the present test began."""
        with (self.logs / f"{name}.log").open("rb") as file:
            file.seek(self._test_starts.get(name, 0))
            return file.read().decode("utf-8", "replace")

    # Rows and messages

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database directly, outside of every proxy."""
        with self.session() as session:
            cursor = session.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *parameters: Any) -> Any:
        """Ask for one value."""
        return self.rows(statement, *parameters)[0][0]

    def session(self) -> psycopg.Connection[Any]:
        """Open a session of the operator's own; use it in a with block."""
        folder = self.servers.postgres.place.sockets
        return psycopg.connect(
            host=str(folder), user="postgres", dbname="postgres", autocommit=True,
            options="-c default_transaction_read_only=off",
        )  # fmt: skip

    def send(self, task: str, queue: str = "lanes", times: int = 1, **arguments: Any) -> None:
        """Put a task message on the broker by hand."""
        path = f"redis+socket://:{self.servers.redis.password}@{self.servers.redis.socket_path}"
        with Celery(broker=path, set_as_current=False) as sender:
            sender.conf.broker_transport_options = {"global_keyprefix": KEY_PREFIX}
            for _ in range(times):
                sender.send_task(task, kwargs=arguments, queue=queue)

    # The product

    def fresh_slug(self, size: str = "small") -> str:
        """Name an organisation that no test has touched; small ones have about 5,000 rows a year, medium 20,000."""
        if not self._unused:
            # Large ones have 100,000, and comparing every row of them takes most of a minute.
            self._unused = {each: [] for each in ("small", "medium")}
            for organisation in self.simulator.organisations()[_NAMED:]:
                self._unused.get(organisation["size"], []).append(organisation["slug"])
        return self._unused[size].pop()

    def key_of(self, slug: str) -> str:
        """Return the organisation's newest key."""
        key = str(self.simulator.organisations(organisation=slug)[0]["admin_key"])
        self._secrets.add(key)
        return key

    def new_key(self, slug: str) -> str:
        """Have the organisation issue another key."""
        self.simulator.world(slug, "new_key")
        return self.key_of(slug)

    def plan(self, days: int) -> None:
        """Give every account the plan with that depth of history."""
        self.rows("UPDATE accounts_account SET plan = %s", "pro" if days == YEAR else "free")

    def connect(self, slug: str | None = None, *, days: int = YEAR, size: str = "small") -> Connected:
        """Connect an organisation through the API; its backfill is queued."""
        slug = slug or self.fresh_slug(size)
        self.plan(days)
        key = self.key_of(slug)
        created = self.api.post("connections/", {"provider": "anthropic", "api_key": key})
        return Connected(created["id"], slug, created["organization"]["id"], key)

    def known(self, connection_id: Any, slug: str) -> Connected:
        """Describe a connection that was made without `connect`."""
        organisation = self.simulator.organisations(organisation=slug)[0]
        return Connected(str(connection_id), slug, organisation["id"], organisation["admin_key"])

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the API and return status and document, whatever the status; OSError when it breaks."""
        connection = HTTPConnection(stack.LOOPBACK, self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def progress(self) -> int:
        """Count what the engine has achieved so far."""
        return int(self.value("SELECT count(*) FROM workers_page"))

    def hurry(self) -> None:
        """Let the waits of backoff and the blocks after a 429 pass at once, as time would."""
        blocked = self.rows(
            "UPDATE workers_lane SET blocked_until = NULL WHERE blocked_until > now() RETURNING organization_id, family"
        )
        with self.servers.redis.client() as client:
            for organization_id, family in blocked:
                # Seeded from the lane then, whose level is that of an emptied bucket.
                client.delete(f"tallystick:bucket:{{{organization_id}:{family}}}")
        self.rows("UPDATE workers_syncstep SET not_before = NULL WHERE status = 'queued'")
        self.rows("UPDATE workers_lane SET due_at = now() WHERE state = 'waiting'")

    # Time

    def eventually(self, holds: Callable[[], Any], what: str, *, seconds: float = 60) -> float:
        """Poll until it holds and return how long that took; fail with `what` at the deadline."""
        started = time.monotonic()
        while True:
            # A server that is just restarting cannot be asked yet.
            with contextlib.suppress(psycopg.OperationalError):
                if holds():
                    return time.monotonic() - started
            if time.monotonic() - started > seconds:
                raise AssertionError(f"not within {seconds:g} s: {what}\n{self.describe()}")
            time.sleep(0.05)

    def until_pages(self, count: int) -> float:
        """Wait until so many pages are stored: how far a backfill is."""
        return self.eventually(lambda: self.progress() >= count, f"{count} pages are stored")

    def note_recovery(self, fault: str, *, seconds: float = 60) -> float:
        """
        Wait for a new claim and a new page, and write down how long it took; a turn under way is not enough.

        On a loaded machine that turn may be the last one: then everything is at rest, and there is nothing to measure.
        """
        pages, claims = self.progress(), self._claims()

        def goes_on() -> bool:
            return self.progress() > pages and self._claims() > claims

        taken = self.eventually(
            lambda: goes_on() or self.is_at_rest(), f"going on after: {fault}", seconds=seconds
        )
        if goes_on():
            self.note(fault, taken)
        return taken

    def is_at_rest(self) -> bool:
        """Say whether nothing is open: no run, no lane."""
        return bool(
            self.value(
                "SELECT NOT EXISTS (SELECT 1 FROM workers_syncrun WHERE status IN ('queued', 'running')) "
                "AND NOT EXISTS (SELECT 1 FROM workers_lane WHERE state <> 'idle')"
            )
        )

    def _claims(self) -> int:
        return int(self.value("SELECT sum(fence) FROM workers_lane"))

    def note(self, fault: str, seconds: float) -> None:
        """Write down a measured time; the worst of a run counts."""
        self.recoveries[fault] = max(seconds, self.recoveries.get(fault, 0.0))

    def describe(self) -> str:
        """Say how things stand, for a failure's message."""
        try:
            state = self.rows(
                "SELECT id, state, due_at - now(), fence FROM workers_lane WHERE state <> 'idle'"
            )
            runs = self.rows(
                "SELECT trigger, status, steps_done, steps_total, reason, detail FROM workers_syncrun"
            )
        except psycopg.Error as error:
            state, runs = [(str(error),)], []
        ends = {path.name: processes.tail(path, lines=6) for path in self.logs.glob("[wb]*[0-9].log")}
        return f"lanes {state}\nruns {runs}\nfallen {self.fallen()}\n{ends}"

    def known_secrets(self) -> set[str]:
        """Return every key that was ever used."""
        return self._secrets

    # Life

    def reset(self) -> None:
        """Heal everything and forget all connections; processes that are well go on."""
        for path in (self.servers.postgres_path, self.servers.redis_path, self.upstream_path):
            path.heal()
        self.servers.postgres.start()
        self.servers.redis.start()
        for name in {*self.fallen(), *(self._odd & set(self.processes))}:
            self.kill(name)
        if not self.is_alive("web"):
            self.start_web()
        self.simulator.clear_faults()
        with self.session() as session:
            session.execute("SET lock_timeout = '30s'")
            session.execute("TRUNCATE integrations_connection, workers_lane, alerts_outboxmessage CASCADE")
        with self.servers.redis.client() as client:
            client.config_set("maxmemory", 0)
            client.flushall()
        self.simulator.clear_requests()
        self._test_starts = {path.stem: path.stat().st_size for path in self.logs.glob("*.log")}

    def stop(self) -> None:
        """End every process."""
        for name in list(self.processes):
            self.kill(name)
        self.upstream_path.stop()

    def prepare(self) -> None:
        """Migrate, make a token, start the web server."""
        for arguments in (
            ("migrate", "--verbosity", "0"),
            ("issue_token", "--name", "lab", "--role", "admin"),
        ):
            done = self.manage(*arguments)
            assert done.returncode == 0, done.stderr
            self.token = done.stdout.strip()
        self.start_web()

    def _start(self, spec: ProcessSpec, environ: dict[str, str]) -> Process:
        log = self.logs / f"{spec.name}.log"
        log.touch(mode=0o600)
        process = processes.start(Program(spec.argv, log=log, folder=spec.folder, environment=environ))
        self.processes[spec.name] = process
        return process

    def _is_live(self) -> bool:
        try:
            connection = HTTPConnection(stack.LOOPBACK, self.port, timeout=5)
            connection.request("GET", "/healthz/live")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


# Settings of whoever runs the tests: none of them may reach the lab.
_FOREIGN = (
    "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CREDENTIAL_KEYS", "ANTHROPIC_", "TALLYSTICK_", "EMAIL_", "DAILY_",
    "LEASE_", "WAKE_", "REREAD_", "LOG_", "DJANGO_", "PYTEST_", "COV_",
)  # fmt: skip


@contextlib.contextmanager
def opened() -> Iterator[Lab]:
    """Start a lab; everything of it ends with the block."""
    # Frozen: today's amounts grow with the hour, and the truth must not change while it is compared.
    now = dt.datetime.now(dt.UTC)
    with (
        servers.started(folders.home_of(stack.PROJECT)) as running,
        Simulator.start(seed=1, organisations=2000, now=now) as simulator,
    ):
        lab = Lab(running, simulator)
        try:
            lab.prepare()
            yield lab
        finally:
            lab.stop()
