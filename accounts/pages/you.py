"""One's own sign-in: name, password, second factors, sessions."""

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, second_factor, sessions
from accounts.actions import difference
from accounts.models import User
from accounts.pages.access import own
from accounts.pages.forms import NameForm


@require_http_methods(["GET", "HEAD", "POST"])
@own
def you(request: HttpRequest, user: User) -> HttpResponse:
    """Show everything about one's sign-in; on POST save the name."""
    form = NameForm(request.POST if request.method == "POST" else None, instance=user)
    if request.method == "POST" and form.is_valid():
        changes = {
            name: difference(form.initial[name], form.cleaned_data[name]) for name in form.changed_data
        }
        if changes:
            with transaction.atomic():
                # Not form.save(): it would write the whole row back, also where somebody was shut out meanwhile.
                user.save(update_fields=list(changes))
                audit.record_person(user, "person.edited", actor=user.email, **changes)
        messages.success(request, "Saved.")
        return redirect("mfa_index")
    factors = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    codes = next((each for each in factors if each.type == Authenticator.Type.RECOVERY_CODES), None)
    context = {
        "here": "you",
        "form": form,
        "app": next((each for each in factors if each.type == Authenticator.Type.TOTP), None),
        "passkeys": [each for each in factors if each.type == Authenticator.Type.WEBAUTHN],
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else None,
        "needs_one": user.is_staff and not second_factor.has_one(user),
        "sessions": sessions.list_of(user),
        "session_key": request.session.session_key,
    }
    return render(request, "settings/you.html", context)


@require_POST
@own
def end_session(request: HttpRequest, user: User, session_id: int) -> HttpResponse:
    """End one of one's sessions; nobody else's exists."""
    if not sessions.end(user, only=session_id):
        raise Http404("There is no such session.")
    messages.success(request, "That session is ended.")
    return redirect("mfa_index")


@require_POST
@own
def end_others(request: HttpRequest, user: User) -> HttpResponse:
    """End all of one's sessions but this one."""
    ended = sessions.end(user, but=request.session.session_key)
    messages.success(request, f"{ended} other session{'' if ended == 1 else 's'} ended.")
    return redirect("mfa_index")
