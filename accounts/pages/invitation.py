"""Following the link of an invitation: join with the sign-in one has, or make one."""

from allauth.account.models import EmailAddress
from allauth.account.utils import perform_login
from allauth.core import ratelimit
from django.contrib.auth.views import redirect_to_login
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import invitations
from accounts.invitations import InvitationClosedError
from accounts.models import Invitation, User
from accounts.pages.forms import JoinForm
from accounts.permissions import choose_account


@sensitive_post_parameters("password")
@sensitive_variables("form")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponseBase:
    """
    Show the offer and take it up.

    Whoever has a sign-in for the address uses it; otherwise the link, which only that address's mail holds, is
    what lets the person choose a password.
    """
    if limited := ratelimit.consume_or_429(request, action="signup"):
        return limited
    invited = invitations.find(token, now=timezone.now())
    if invited is None:
        return _closed(request)
    known = User.objects.filter(email=invited.email).first()
    try:
        return _join_anew(request, invited) if known is None else _join_known(request, invited, known)
    except InvitationClosedError:
        return _closed(request)


def _closed(request: HttpRequest) -> HttpResponse:
    return render(request, "account/invitation_closed.html", status=404)


def _join_known(request: HttpRequest, invited: Invitation, known: User) -> HttpResponseBase:
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    is_other = request.user.pk != known.pk
    if is_other or request.method != "POST":
        return render(request, "account/invitation.html", {"invited": invited, "is_other": is_other})
    invitations.accept(invited, known, now=timezone.now())
    choose_account(request, invited.account)
    return redirect("dashboard:home")


def _join_anew(request: HttpRequest, invited: Invitation) -> HttpResponseBase:
    form = JoinForm(invited.email, request.POST if request.method == "POST" else None)
    if request.user.is_authenticated or not form.is_valid():
        context = {"invited": invited, "form": form, "is_other": request.user.is_authenticated}
        return render(request, "account/invitation.html", context)
    try:
        user = _make(invited, form.cleaned_data["password"])
    except IntegrityError:
        # The same link, sent twice at once: the other one made the person.
        return redirect(request.path)
    answer: HttpResponse = perform_login(request, user, email_verification="none")
    choose_account(request, invited.account)
    return answer


@sensitive_variables("password")
def _make(invited: Invitation, password: str) -> User:
    with transaction.atomic():
        user = User.objects.create_user(invited.email, password)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        invitations.accept(invited, user, now=timezone.now())
    return user
