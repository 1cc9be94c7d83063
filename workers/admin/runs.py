"""Operators' pages for runs and steps: read-only, except that an open run can be cancelled."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from accounts import audit
from accounts.object_actions import ActionRefusedError, ObjectAction, ObjectActionsMixin
from accounts.operators import CappedRelatedFilter, ReadOnlyAdmin, ReadOnlyInline, all_fields_of
from workers import runs
from workers.clock import database_now
from workers.models import SyncRun, SyncStep


def _is_open(run: SyncRun) -> bool:
    return run.status in SyncRun.ACTIVE


def _cancel(request: HttpRequest, run: SyncRun) -> None:
    if not runs.cancel(run, now=database_now()):
        raise ActionRefusedError("This run has ended already.")
    connection = run.connection
    audit.record(
        connection.account, request.user.get_username(), "run.cancelled", connection.label, target_id=run.pk
    )
    messages.success(request, f"Cancelled {run}. What it stored stays; force a sync to fetch the rest.")


class SyncStepInline(ReadOnlyInline):
    """The steps of the run, in the order they are taken."""

    model = SyncStep
    fields = [
        "position", "report_name", "window_start", "window_end", "status", "attempt", "failures", "not_before",
        "reason", "detail", "finished_at",
    ]  # fmt: skip
    show_change_link = True


@admin.register(SyncRun)
class SyncRunAdmin(ObjectActionsMixin, ReadOnlyAdmin):
    """Every reason to fetch, how far it is, and what it changed."""

    object_actions = (ObjectAction("cancel", "Cancel this run", "workers.change_syncrun", _cancel, _is_open),)
    list_display = [
        "requested_at", "connection", "account", "trigger", "from_day", "to_day", "status", "progress",
        "requests", "rows", "reason", "finished_at",
    ]  # fmt: skip
    list_filter = ["status", "trigger", ("connection", CappedRelatedFilter)]
    list_select_related = ["connection__account"]
    search_fields = ["=id", "connection__label", "connection__account__name"]
    ordering = ["-requested_at"]
    fields = (
        *all_fields_of(SyncRun, without=("detail", "reason", "steps_total", "steps_done")),
        "progress", "next_attempt", "reason", "detail",
    )  # fmt: skip
    inlines = [SyncStepInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("connection__account", "lane")

    @admin.display
    def account(self, run: SyncRun) -> str:
        """Name the account the run belongs to."""
        return run.connection.account.name

    @admin.display
    def progress(self, run: SyncRun) -> str:
        """Show steps done of all."""
        return f"{run.steps_done} of {run.steps_total} steps"

    @admin.display(description="rows added / changed / removed")
    def rows(self, run: SyncRun) -> str:
        """Show rows added, changed and removed."""
        return f"{run.rows_added} / {run.rows_changed} / {run.rows_removed}"

    @admin.display
    def next_attempt(self, run: SyncRun) -> str:
        """Show when the run's lane is tried next, while it waits."""
        when = runs.next_attempt_at(run)
        return f"{when:%d %b %Y %H:%M:%S} UTC" if when else "-"


@admin.register(SyncStep)
class SyncStepAdmin(ReadOnlyAdmin):
    """One report and one window of a run."""

    list_display = [
        "run",
        "connection",
        "position",
        "report_name",
        "window_start",
        "window_end",
        "status",
        "reason",
    ]
    list_filter = ["status"]
    list_select_related = ["run__connection"]
    ordering = ["-id"]
    fields = all_fields_of(SyncStep)

    @admin.display
    def connection(self, step: SyncStep) -> str:
        """Name the connection that is read."""
        return step.run.connection.label
