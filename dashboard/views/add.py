"""Adding a connection: test the key without storing anything, then add it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import Role
from accounts.permissions import Principal
from dashboard import notices
from dashboard.access import action, page
from dashboard.forms import AddForm, KeyForm
from dashboard.notices import Notice
from integrations.connections import LabelTakenError, NewConnection, RefusedError
from integrations.models import Connection
from workers import lifecycle

_NOT_ADDED = "Not added."


@sensitive_post_parameters("api_key")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@page(Role.ADMIN)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the form; on POST connect, or say why not. The key is never part of an answer."""
    form = AddForm(_sent(request))
    if request.method != "POST":
        return _show(request, principal, form, None)
    if not form.is_valid():
        return _show(request, principal, form, None)
    wanted = NewConnection(**form.cleaned_data)
    try:
        connection = lifecycle.connect(principal.account, wanted, actor=principal.name)
    except RefusedError as error:
        return _show(request, principal, form, notices.of_refusal(_NOT_ADDED, error))
    except LabelTakenError as error:
        form.refuse_label(error)
        return _show(request, principal, form, None)
    return _after(request, connection)


@sensitive_post_parameters("api_key")
@sensitive_variables("form")
@action(Role.ADMIN)
def test_key(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Say what a key can see; nothing is stored, and with scripts the field keeps what was pasted."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        problem = " ".join(str(text) for text in form.errors.get("api_key", []))
        notice = Notice("bad", "Nothing was tested.", problem)
    else:
        notice = notices.of_probe(
            lifecycle.check_key(principal.account, form.cleaned_data["api_key"], actor=principal.name)
        )
    # Without scripts the page comes back whole; what was typed beside the key is worth keeping.
    kept = AddForm(initial={name: request.POST.get(name, "") for name in ("label", "cost_center")})
    return _show(request, principal, kept, notice)


def _show(request: HttpRequest, principal: Principal, form: AddForm, notice: Notice | None) -> HttpResponse:
    context = {
        "form": form,
        "notice": notice,
        "account": principal.account,
        "was_sent": request.method == "POST",
    }
    whole = "dashboard/add.html"
    part = "dashboard/parts/add_result.html"
    is_part = request.headers.get("HX-Request") and request.method == "POST"
    return render(request, part if is_part else whole, context)


def _after(request: HttpRequest, connection: Connection) -> HttpResponse:
    messages.success(request, f"{connection.label} is connected. The newest days come first.")
    is_first = not Connection.objects.filter(account=connection.account).exclude(pk=connection.pk).exists()
    target = "dashboard:home" if is_first else "dashboard:connections"
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(reverse(target))
    return redirect(target)


def _sent(request: HttpRequest) -> QueryDict | None:
    """Return what was submitted; an empty submission is one, too, and is told what it lacks."""
    return request.POST if request.method == "POST" else None
