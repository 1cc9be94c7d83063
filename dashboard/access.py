"""Who may open a page: signs people in, finds whom they act for, and refuses what their role does not cover."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol
from uuid import UUID

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render, resolve_url
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import Role
from accounts.permissions import Principal, find_principal
from integrations.models import Connection
from workers import lifecycle

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Principal, P], HttpResponseBase]


class View(Protocol[P]):
    """What Django calls."""

    def __call__(self, request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase: ...


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
            response = view(request, principal, *args, **kwargs)
            # What a page shows belongs to one account; no cache may keep it for the next person.
            response.headers.setdefault("Cache-Control", "private, no-store")
            return response

        return guarded

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # A part of a page cannot show the sign-in form: the whole page has to go there.
        return HttpResponseClientRedirect(resolve_url(settings.LOGIN_URL))
    return redirect_to_login(request.get_full_path())


def get_connection(principal: Principal, connection_id: UUID) -> Connection:
    """Return the account's live connection; another account's does not exist (Http404)."""
    connection = lifecycle.find(principal.account, connection_id)
    if connection is None:
        raise Http404("There is no such connection.")
    return connection
