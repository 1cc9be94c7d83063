"""`demo`: the whole product against a simulated Anthropic, with nothing to install and no key."""

import argparse
import datetime as dt
import json
import os
import time
from contextlib import ExitStack
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from accounts import bootstrap, tokens
from accounts.bootstrap import FirstSignIn
from accounts.models import Role, User
from accounts.tokens import Terms
from devtools.demo import story
from devtools.demo.api import Api, ApiError
from devtools.simulator.process import Simulator
from runtime import preparing, services, stack
from runtime.supervisor import Supervisor, announce_on_stderr

# The simulator on this machine has no limit, and nobody wants to watch a year arrive at one request a minute.
_DEMO_RATE = {
    "ANTHROPIC_REQUESTS_PER_MINUTE": "600",
    "ANTHROPIC_BURST": "60",
}


class Command(BaseCommand):
    help = (
        "Runs Tallystick against a simulated Anthropic: three organisations, a year of cost, no key needed."
    )
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=8000, help="where the pages are served (default 8000)"
        )
        parser.add_argument(
            "--once", action="store_true", help="end after the backfill; status 0 if all is equal"
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")

    def handle(self, *_: Any, port: int, once: bool, json: bool, **__: Any) -> None:
        # With --json standard output holds the result only; people read the other one.
        console = Console(stderr=json, highlight=False)
        try:
            stack.check_port(port)
        except stack.PortError as error:
            raise CommandError(str(error)) from error
        with ExitStack() as running:
            self._run(running, console, port=port, once=once, as_json=json)

    def _run(self, running: ExitStack, console: Console, *, port: int, once: bool, as_json: bool) -> None:
        started = time.monotonic()
        console.print("Starting PostgreSQL, Redis, a simulated Anthropic, web, worker and beat …")
        simulator = running.enter_context(Simulator.start())
        os.environ.update(_DEMO_RATE, ANTHROPIC_BASE_URL=simulator.base_url)
        stack.tell_address(port)
        here = services.current()
        sign_in, token = preparing.patiently(self._prepare, here.servers, announce_on_stderr)
        supervisor = running.enter_context(self._processes(port))
        if not stack.wait_until_live(supervisor, port):
            raise CommandError(f"The web server does not answer; its log: {supervisor.log('web')}")
        address = f"{stack.address_of(port)}/"
        here.publish(address=address, has_workers=True, command="demo")
        if not once:
            self._invite(console, address, sign_in)
        try:
            outcomes = self._story(console, Api(stack.LOOPBACK, port, token), simulator)
        except (ApiError, story.StoryError) as error:
            if once or as_json:
                raise CommandError(str(error)) from error
            # People look around meanwhile, and may pause or disconnect what is being filled.
            console.print(f"Not compared with the truth: {escape(str(error))}")
        else:
            self._report(console, outcomes, time.monotonic() - started, address if as_json else "")
        if not once:
            console.print(f"Tokens, keys and people of the older months are still arriving at {address}")
            supervisor.wait()

    def _invite(self, console: Console, address: str, sign_in: FirstSignIn) -> None:
        console.print(f"\nOpen [bold]{address}[/bold]  ·  Ctrl-C ends everything")
        console.print(
            f"Sign in as [bold]{sign_in.email}[/bold] with password [bold]{sign_in.password}[/bold]"
        )
        console.print("It fills while you look: a year of three organisations, in about a minute.\n")

    def _prepare(self) -> tuple[FirstSignIn, str]:
        call_command("migrate", interactive=False, verbosity=0)
        with transaction.atomic():  # both or neither, so that it can be repeated
            return self._people()

    def _people(self) -> tuple[FirstSignIn, str]:
        sign_in = bootstrap.ensure_admin()
        if sign_in is None:
            raise CommandError("The demo's database is not empty; end the other demo first.")
        account, owner = bootstrap.ensure_default_account(), User.objects.get(email=sign_in.email)
        terms = Terms("demo", Role.ADMIN, expires_in=dt.timedelta(days=1))
        _, token = tokens.issue(account, owner, terms, actor="manage.py demo")
        return sign_in, token

    def _processes(self, port: int) -> Supervisor:
        here = services.current()
        specs = [stack.web(port), stack.beat(here.home), stack.worker()]
        return Supervisor(specs, here.home / "logs", servers=here.servers)

    def _story(self, console: Console, api: Api, simulator: Simulator) -> list[story.Outcome]:
        today = dt.datetime.now(dt.UTC).date()
        connections = story.connect(api, simulator)
        _watch(console, api, connections)
        return list(story.compare(api, simulator, connections, today))

    def _report(
        self, console: Console, outcomes: list[story.Outcome], seconds: float, address_for_machines: str
    ) -> None:
        for outcome in outcomes:
            verdict = (
                "[green]equal to the truth[/green]"
                if outcome.equal
                else f"[red]truth {outcome.truth_usd}[/red]"
            )
            console.print(f"{outcome.organization:<24} {outcome.total_usd:>24} USD  {verdict}")
        console.print(
            f"{story.DAYS} days of {len(outcomes)} organisations, {sum(o.rows for o in outcomes)} rows, "
            f"{sum(o.requests for o in outcomes)} requests, {seconds:.0f} s."
        )
        if address_for_machines:
            self.stdout.write(json.dumps(_result(outcomes, address_for_machines, seconds), indent=2))
            self.stdout.flush()
        if not all(outcome.equal for outcome in outcomes):
            raise CommandError("The totals differ from the simulator's truth.")


def _watch(console: Console, api: Api, connections: list[dict[str, Any]]) -> None:
    columns = (TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"))
    told: dict[int, int] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = [bars.add_task(each["label"], total=None) for each in connections]

        def tell(seen: list[story.Progress]) -> None:
            for task, each in zip(tasks, seen, strict=True):
                bars.update(task, completed=each.days_done, total=each.days_total)
                # Without a terminal: a line whenever a connection moved on, not one a poll.
                if not console.is_terminal and told.get(task) != each.days_done:
                    console.print(f"{each.name}: {each.days_done} of {each.days_total} days, {each.status}")
                    told[task] = each.days_done

        story.watch(api, connections, tell)


def _result(outcomes: list[story.Outcome], address: str, seconds: float) -> dict[str, Any]:
    return {
        "ok": all(outcome.equal for outcome in outcomes),
        "days": story.DAYS,
        "organisations": [outcome.as_json() for outcome in outcomes],
        "address": address,
        "seconds": round(seconds, 1),
    }
