"""The answer to something a person just did, in the words of the page; the same whether scripts run or not."""

from dataclasses import dataclass, field
from typing import Literal

from django.contrib import messages
from django.http import HttpRequest

from dashboard.cards import Capability
from dashboard.enum_labels import capability_words, origin_words
from integrations.anthropic.probe import ProbeResult
from integrations.connections import RefusedError
from integrations.errors import PASSING, Advice
from integrations.models import Connection
from workers.models import SyncRun

Kind = Literal["good", "info", "bad"]
_LEVELS = {"good": messages.SUCCESS, "info": messages.INFO, "bad": messages.ERROR}


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened, why, and what to do; `existing` links to the connection that stands in the way."""

    kind: Kind
    title: str
    detail: str = ""
    remedy: str = ""
    capabilities: list[Capability] = field(default_factory=list)
    existing: Connection | None = None

    def flash(self, request: HttpRequest) -> None:
        """Keep it for the page that follows a redirect."""
        text = " ".join(part for part in (self.title, self.detail, self.remedy) if part)
        messages.add_message(request, _LEVELS[self.kind], text)


def of_probe(result: ProbeResult) -> Notice:
    """Word what a connection test found."""
    seen = [Capability(capability_words(c.name), c.ok, c.detail) for c in result.capabilities]
    if not result.ok:
        title = "Not tested yet." if result.reason in PASSING else "This key does not work here."
        return Notice("bad", title, result.detail, result.remedy, seen)
    name = result.organization.name if result.organization else "the organisation"
    origin = origin_words(result.origin or "")
    return Notice("good", f"Connected to {name} · {origin}.", result.detail, result.remedy, seen)


def of_advice(title: str, told: Advice, existing: Connection | None = None) -> Notice:
    """Word a refusal."""
    return Notice("bad", title, told.detail, told.remedy, existing=existing)


def of_refusal(title: str, error: RefusedError) -> Notice:
    """Word a refused service call."""
    return of_advice(title, error.advice, error.connection)


def of_run(run: SyncRun, connection: Connection) -> Notice:
    """Word how a sync that somebody waited for ended, or why it does not go on."""
    if run.status == SyncRun.Status.SUCCEEDED:
        changed = run.rows_added + run.rows_changed + run.rows_removed
        return Notice("good", f"Synced: {changed:,} changed, {run.rows_unchanged:,} unchanged.")
    if run.status in SyncRun.ACTIVE:
        return Notice(
            "bad", "Not synced yet.", connection.detail or "The connection is paused.", connection.remedy
        )
    return Notice("bad", "Not synced.", run.detail or f"The run was {run.get_status_display().lower()}.")
