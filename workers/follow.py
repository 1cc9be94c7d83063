"""Follow runs from a terminal: a bar where there is one, plain lines otherwise."""

import datetime as dt
import time
from collections.abc import Sequence
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from integrations.models import Connection, Status
from workers import runs
from workers.clock import database_now
from workers.models import SyncRun

_POLL_SECONDS = 0.5
_SOON = dt.timedelta(seconds=3)


def follow(run_ids: Sequence[UUID], console: Console) -> list[SyncRun]:
    """Show progress until every run has ended or its connection needs a person; return the runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("steps", total=None, note="")
        said = ""
        while True:
            found = list(SyncRun.objects.filter(pk__in=run_ids).select_related("connection", "lane"))
            done, total = sum(run.steps_done for run in found), sum(run.steps_total for run in found)
            note = _note(found)
            bars.update(task, completed=done, total=total, note=note)
            line = f"{done} of {total} steps. {note}".strip()
            if not console.is_terminal and line != said:
                console.print(line)
                said = line
            if all(_is_over(run) for run in found):
                return found
            time.sleep(_POLL_SECONDS)


def _is_over(run: SyncRun) -> bool:
    return run.status not in SyncRun.ACTIVE or run.connection.status in {Status.ERROR, Status.PAUSED}


def _note(found: Sequence[SyncRun]) -> str:
    for run in found:
        next_at = runs.next_attempt_at(run)
        if next_at and next_at < database_now() + _SOON:
            next_at = None  # the dispatcher looks every second: that is no wait worth a word
        if run.detail:
            return f"{run.detail} Next attempt {next_at:%H:%M:%S} UTC." if next_at else run.detail
        if next_at:
            return f"Waiting for the rate limit until {next_at:%H:%M:%S} UTC."
    return ""


def outcome(connection: Connection, found: Sequence[SyncRun]) -> str | None:
    """Return why the runs did not all succeed; None when they did."""
    connection.refresh_from_db()
    for run in found:
        if run.status != SyncRun.Status.SUCCEEDED:
            told = f"{connection.detail} {connection.remedy}".strip() or run.detail
            return told or f"The run is {run.status}."
    return None
