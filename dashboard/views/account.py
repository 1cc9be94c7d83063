"""Switching between the accounts that a person belongs to."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.models import Membership, User
from accounts.permissions import Principal
from dashboard.access import action


@action()
def switch(request: HttpRequest, _principal: Principal) -> HttpResponse:
    """Act for another of one's accounts from now on; others do not exist."""
    wanted = request.POST.get("account", "")
    assert isinstance(request.user, User)  # noqa: S101 - whoever has a principal is one
    memberships = Membership.objects.filter(user=request.user)
    chosen = next((m for m in memberships if str(m.account_id) == wanted), None)
    if chosen is None:
        raise Http404("There is no such account.")
    request.session["account_id"] = str(chosen.account_id)
    return redirect("dashboard:home")
