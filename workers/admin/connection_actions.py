"""What operators can do to one connection: each calls one service and tells its outcome in words."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.object_actions import ActionRefusedError, ObjectAction
from integrations.connections import RefusedError
from integrations.models import Connection, Status
from workers import lifecycle
from workers.admin.connection_forms import DisconnectForm, ReplaceKeyForm
from workers.lifecycle import ConnectionStandsStillError


def _is_live(connection: Connection) -> bool:
    return not connection.is_disconnected


def _can_pause(connection: Connection) -> bool:
    return _is_live(connection) and connection.status != Status.PAUSED


def _can_resume(connection: Connection) -> bool:
    return _is_live(connection) and connection.status == Status.PAUSED


def _worded(run: Callable[..., HttpResponse | None]) -> Callable[..., HttpResponse | None]:
    """Make a refusal of the service, also because somebody else was faster, one of the page."""

    @wraps(run)
    def run_or_refuse(*args: Any) -> HttpResponse | None:
        try:
            return run(*args)
        except ConnectionStandsStillError as refusal:
            raise ActionRefusedError(str(refusal)) from refusal

    return run_or_refuse


@_worded
def _test(request: HttpRequest, connection: Connection) -> None:
    result = lifecycle.check_connection(connection, actor=request.user.get_username())
    cause = f"{result.reason}: " if result.reason else ""
    told = f"{cause}{result.detail} {result.remedy}".strip()
    messages.add_message(request, messages.SUCCESS if result.ok else messages.ERROR, told)


@_worded
def _force_sync(request: HttpRequest, connection: Connection) -> None:
    run, created = lifecycle.force_sync(connection, None, actor=request.user.get_username())
    messages.success(request, f"Queued {run}." if created else f"Already {run.status}: {run}.")


@_worded
def _pause(request: HttpRequest, connection: Connection) -> None:
    lifecycle.pause(connection, actor=request.user.get_username())
    messages.success(request, f"Paused {connection.label}. What is open stays open.")


@_worded
def _resume(request: HttpRequest, connection: Connection) -> None:
    lifecycle.resume(connection, actor=request.user.get_username())
    messages.success(request, f"Resumed {connection.label}. Days missed meanwhile are fetched.")


@_worded
def _replace_key(request: HttpRequest, connection: Connection, form: ReplaceKeyForm) -> None:
    try:
        lifecycle.rotate_key(connection, form.cleaned_data["api_key"], actor=request.user.get_username())
    except RefusedError as refusal:
        form.add_error("api_key", [refusal.advice.detail, refusal.advice.remedy])
        return
    messages.success(request, f"Replaced the key of {connection.label}; it is now {connection.key_hint}.")


def _disconnect(request: HttpRequest, connection: Connection, form: DisconnectForm) -> HttpResponse:
    lifecycle.disconnect(connection, erase=form.is_erasing, actor=request.user.get_username())
    outcome = "its history is erased" if form.is_erasing else "its history stays"
    messages.success(request, f"Disconnected {connection.label}; its key is deleted and {outcome}.")
    return HttpResponseRedirect(reverse("admin:integrations_connection_changelist"))


ACTIONS = (
    ObjectAction("test", "Test connection", "integrations.sync_connection", _test, _is_live),
    ObjectAction("force_sync", "Force sync", "integrations.sync_connection", _force_sync, _is_live),
    ObjectAction("pause", "Pause", "integrations.pause_connection", _pause, _can_pause),
    ObjectAction("resume", "Resume", "integrations.pause_connection", _resume, _can_resume),
    ObjectAction(
        "replace_key", "Replace key", "integrations.rotate_connection", _replace_key, _is_live, ReplaceKeyForm
    ),
    ObjectAction(
        "disconnect", "Disconnect", "integrations.delete_connection", _disconnect, _is_live, DisconnectForm
    ),
)
