"""Who may open a page: signs people in, finds whom they act for, and refuses what their role does not cover."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import Role
from accounts.permissions import Principal, find_principal
from dashboard.saved_views import GoneError
from integrations.models import Connection
from workers import lifecycle
from workers.lifecycle import ConnectionStandsStillError

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Principal, P], HttpResponseBase]


class View(Protocol[P]):
    """What Django calls."""

    def __call__(self, request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase: ...


# Addresses that are no page of their own, and the page whose button or part they are.
_HOMES = {
    **dict.fromkeys(
        ("test", "sync", "pause", "resume", "connection_status", "connection_runs"), "dashboard:connection"
    ),
    **dict.fromkeys(("switch_account", "progress"), "dashboard:home"),
    "test_key": "dashboard:add",
    **dict.fromkeys(("save_view", "replace_state", "delete_view", "pin"), "dashboard:views"),
    **dict.fromkeys(("make_dashboard", "change_tile", "delete_dashboard", "tile"), "dashboard:dashboards"),
    **dict.fromkeys(("invite", "withdraw", "change_role"), "settings:people"),
    "issue_token": "settings:tokens",
}


def page(needed: Role = Role.VIEWER) -> Callable[[Page[P]], View[P]]:
    """Wrap a view so that it gets the principal, whose role covers the needed one."""

    def decorate(view: Page[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            principal = find_principal(request)
            if principal is None:
                return render(request, "dashboard/no_account.html", status=403)
            if not principal.may(needed):
                raise PermissionDenied(
                    f"This needs the role {needed.label.lower()}; yours is {principal.role.label.lower()}."
                )
            # The page's frame shows whom it acts for; it need not be looked up again.
            request.principal = principal  # type: ignore[attr-defined]
            try:
                response = view(request, principal, *args, **kwargs)
            except (ConnectionStandsStillError, GoneError) as error:
                # Disconnected or deleted between our look and its deed; other reasons a view words itself.
                raise Http404(str(error)) from error
            # What a page shows belongs to one account; no cache may keep it for the next person.
            response.headers.setdefault("Cache-Control", "private, no-store")
            return response

        return guarded

    return decorate


def action(needed: Role = Role.VIEWER) -> Callable[[Page[P]], View[P]]:
    """Wrap a view that a button posts to; whoever opens its address is told so and shown the way."""

    def decorate(view: Page[P]) -> View[P]:
        guarded = page(needed)(view)

        @wraps(view)
        def posted(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method == "POST":
                return guarded(request, *args, **kwargs)
            context = {"home": _home(request)}
            answer = render(request, "dashboard/only_by_button.html", context, status=405)
            answer["Allow"] = "POST"
            return answer

        return posted

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    to_sign_in = redirect_to_login(_home(request))
    if request.headers.get("HX-Request"):
        # A part of a page cannot show the sign-in form: the whole page has to go there.
        return HttpResponseClientRedirect(to_sign_in.url)
    return to_sign_in


def _home(request: HttpRequest) -> str:
    """Return the address of the page that a request belongs to: where to go on after signing in."""
    match = request.resolver_match
    name = _HOMES.get(match.url_name or "") if match else None
    if match and name:
        ids = match.kwargs if name == "dashboard:connection" else {}
        return reverse(name, kwargs=ids)
    return request.get_full_path()


def get_connection(principal: Principal, connection_id: UUID) -> Connection:
    """Return the account's live connection; another account's does not exist (Http404)."""
    connection = lifecycle.find(principal.account, connection_id)
    if connection is None:
        raise Http404("There is no such connection.")
    return connection
