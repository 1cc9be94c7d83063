"""API tokens: everybody sees and makes their own, admins see and revoke all of the account."""

from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts import tokens
from accounts.models import ApiToken, Role, User
from accounts.pages.forms import TokenForm
from accounts.permissions import Principal
from dashboard.access import action, page


@require_safe
@page()
def tokens_page(request: HttpRequest, principal: Principal) -> HttpResponse:
    """List the tokens and offer to make one."""
    return _show(request, principal, TokenForm(principal))


@action()
def issue(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Make a token; its text stands in this one answer and nowhere else."""
    form = TokenForm(principal, request.POST)
    if not form.is_valid():
        return _show(request, principal, form)
    row, plain = tokens.issue(principal.account, _person(request), form.terms(), actor=principal.name)
    # Not after a redirect: until then it would have to be kept somewhere.
    return _show(request, principal, TokenForm(principal), issued=row, plain=plain)


@require_http_methods(["GET", "HEAD", "POST"])
@page()
def revoke(request: HttpRequest, principal: Principal, public_id: UUID) -> HttpResponse:
    """Ask, then revoke a token."""
    found = _visible(request, principal).filter(public_id=public_id).first()
    if found is None:
        raise Http404("There is no such token.")
    if request.method != "POST":
        return render(request, "settings/revoke.html", {"token": found, "here": "tokens"})
    tokens.revoke(found, actor=principal.name)
    messages.success(request, f"{found.name} is revoked. Programs that use it are refused from now on.")
    return redirect("settings:tokens")


def _visible(request: HttpRequest, principal: Principal) -> QuerySet[ApiToken]:
    rows = principal.rows(ApiToken).select_related("user", "account")
    return rows if principal.may(Role.ADMIN) else rows.filter(user=_person(request))


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - whoever has a principal is one
    return request.user


def _show(
    request: HttpRequest,
    principal: Principal,
    form: TokenForm,
    *,
    issued: ApiToken | None = None,
    plain: str = "",
) -> HttpResponse:
    context = {
        "here": "tokens",
        "tokens": _visible(request, principal).order_by("-created"),
        "now": timezone.now(),
        "form": form,
        "issued": issued,
        "plain": plain,
    }
    return render(request, "settings/tokens.html", context)
