"""What a card's buttons do; each answers with a part of the page, or with a redirect where no scripts run."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.models import Role
from accounts.permissions import Principal
from dashboard import cards, figures, notices
from dashboard.access import action, get_connection
from dashboard.notices import Notice
from integrations.models import Connection
from workers import lifecycle
from workers.lifecycle import ConnectionStandsStillError
from workers.models import SyncRun


@action(Role.EDITOR)
def test(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Probe the stored key."""
    connection = get_connection(principal, connection_id)
    return _answer(
        request, connection, notices.of_probe(lifecycle.check_connection(connection, actor=principal.name))
    )


@action(Role.EDITOR)
def sync(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Queue a sync of today and the trailing days, or point to the one under way."""
    connection = get_connection(principal, connection_id)
    try:
        run, is_new = lifecycle.force_sync(connection, None, actor=principal.name)
    except ConnectionStandsStillError as error:
        return _answer(request, connection, Notice("bad", "Not synced.", str(error)))
    days = figures.days(run.from_day, run.to_day - figures.ONE_DAY)
    title = "Sync queued." if is_new else "A sync is under way already."
    return _answer(request, connection, Notice("info", title, f"It reads {days}."), run=run)


@action(Role.ADMIN)
def pause(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Stop fetching until resumed."""
    connection = get_connection(principal, connection_id)
    lifecycle.pause(connection, actor=principal.name)
    return _answer(
        request, connection, Notice("info", "Paused.", "Nothing is fetched until you resume it."), whole=True
    )


@action(Role.ADMIN)
def resume(request: HttpRequest, principal: Principal, connection_id: UUID) -> HttpResponse:
    """Go on, and fetch the days missed meanwhile."""
    connection = get_connection(principal, connection_id)
    lifecycle.resume(connection, actor=principal.name)
    return _answer(
        request,
        connection,
        Notice("info", "Resumed.", "The days missed meanwhile are fetched now."),
        whole=True,
    )


def _answer(
    request: HttpRequest,
    connection: Connection,
    notice: Notice,
    *,
    whole: bool = False,
    run: SyncRun | None = None,
) -> HttpResponse:
    """
    Answer with the notice and the card's new state.

    Shape:   `whole` where the menu of the card changes too; the end of a `run` will replace the notice
    """
    if request.headers.get("HX-Request") and not whole:
        card = cards.card(connection, timezone.now())
        context = {"card": card, "notice": notice, "watched": run.pk if run else None}
        return render(request, "dashboard/parts/card_reply.html", context)
    notice.flash(request)
    # Where to return to is one of two pages of ours, never an address from the request.
    if request.POST.get("from") == "connection":
        return redirect("dashboard:connection", connection_id=connection.pk)
    return redirect("dashboard:connections")
