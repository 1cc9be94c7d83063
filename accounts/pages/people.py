"""People of an account and invitations: everybody may see who is there, admins change it."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts import invitations, people
from accounts.invitations import AlreadyMemberError, TooManyInvitationsError
from accounts.models import Invitation, Membership, Role, User
from accounts.pages import mails
from accounts.pages.forms import InviteForm, RoleForm
from accounts.people import LastAdminError
from accounts.permissions import Principal
from alerts import outbox
from dashboard.access import action, page

_CONSOLE = "django.core.mail.backends.console.EmailBackend"


@require_safe
@page()
def people_page(request: HttpRequest, principal: Principal) -> HttpResponse:
    """List who belongs to the account, with which role, and who is invited."""
    return _show(request, principal, InviteForm())


@action(Role.ADMIN)
def invite(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Invite somebody by mail."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _show(request, principal, form)
    now = timezone.now()
    try:
        with transaction.atomic():
            invited = invitations.invite(
                principal.account, form.offer(), invited_by=_person(request), actor=principal.name, now=now
            )
            outbox.enqueue(principal.account, mails.invitation(invited), now=now)
    except (AlreadyMemberError, TooManyInvitationsError) as error:
        form.add_error("email", str(error))
        return _show(request, principal, form)
    messages.success(request, f"An invitation to {invited.email} is on its way.")
    return redirect("settings:people")


@action(Role.ADMIN)
def withdraw(request: HttpRequest, principal: Principal, invitation_id: UUID) -> HttpResponse:
    """Make the link of an open invitation useless."""
    found = principal.rows(Invitation).filter(pk=invitation_id).first()
    if found is None:
        raise Http404("There is no such invitation.")
    invitations.withdraw(found, actor=principal.name, now=timezone.now())
    messages.success(request, f"The invitation of {found.email} is withdrawn.")
    return redirect("settings:people")


@action(Role.ADMIN)
def change_role(request: HttpRequest, principal: Principal, membership_id: int) -> HttpResponse:
    """Give a member another role."""
    member = _get(principal, membership_id)
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            people.change_role(member, Role(form.cleaned_data["role"]), actor=principal.name)
        except LastAdminError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{member.user.email} has the role {form.cleaned_data['role']} now.")
    else:
        messages.error(request, "Choose one of the roles.")
    return redirect("settings:people")


@require_http_methods(["GET", "HEAD", "POST"])
@page()
def remove(request: HttpRequest, principal: Principal, membership_id: int) -> HttpResponse:
    """Ask, then take somebody out of the account; everybody may leave by themselves."""
    member, person = _get(principal, membership_id), _person(request)
    is_leaving = member.user_id == person.pk
    if not is_leaving and not principal.may_change(Role.ADMIN):
        raise Http404("There is no such person.")  # what one may not do is not offered either
    if request.method != "POST":
        tokens = principal.account.tokens.filter(user=member.user).count()
        context = {"member": member, "is_leaving": is_leaving, "tokens": tokens, "here": "people"}
        return render(request, "settings/remove.html", context)
    try:
        people.remove(member, actor=person)
    except LastAdminError as error:
        messages.error(request, str(error))
        return redirect("settings:people")
    except Membership.DoesNotExist:
        raise Http404("There is no such person.") from None
    messages.success(
        request, f"You left {member.account}." if is_leaving else f"{member.user.email} is removed."
    )
    return redirect("dashboard:home" if is_leaving else "settings:people")


def _get(principal: Principal, membership_id: int) -> Membership:
    found = principal.rows(Membership).select_related("user", "account").filter(pk=membership_id).first()
    if found is None:
        raise Http404("There is no such person.")
    return found


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - whoever has a principal is one
    return request.user


def _show(request: HttpRequest, principal: Principal, form: InviteForm) -> HttpResponse:
    is_admin = principal.may_change(Role.ADMIN)
    context = {
        "here": "people",
        "members": principal.rows(Membership).select_related("user").order_by("user__email"),
        "roles": Role.choices,
        "form": form if is_admin else None,
        "invited": invitations.list_open(principal.account, now=timezone.now()) if is_admin else [],
        "has_mail": settings.EMAIL_BACKEND != _CONSOLE,
    }
    return render(request, "settings/people.html", context)
