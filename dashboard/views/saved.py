"""Saved views: the list, saving what an explorer page shows, opening, renaming, sharing, deleting; and pinning."""

from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Role, User
from accounts.permissions import Principal
from dashboard import saved_views
from dashboard.access import action, page
from dashboard.explore import state as states
from dashboard.explore.state import Problem, State
from dashboard.forms import KeptForm, ViewForm
from dashboard.models import QUERY_LENGTH, Dashboard, SavedView
from dashboard.saved_views import K, NewView, Person, TooManyError
from foundation.periods import utc_day


def person_of(request: HttpRequest, principal: Principal) -> Person:
    """Return the signed-in person acting for the account."""
    assert isinstance(request.user, User)  # noqa: S101 - whoever has a principal on a page is one
    return Person(principal, request.user)


def get_kept(request: HttpRequest, principal: Principal, model: type[K], key: UUID) -> K:
    """Return what the person sees under an id, or Http404."""
    found = saved_views.find(person_of(request, principal), model, key)
    if found is None:
        raise Http404("There is no such view or dashboard.")
    return found


def find_view(
    request: HttpRequest, principal: Principal, state: State, problems: list[Problem]
) -> tuple[SavedView | None, State]:
    """Return the saved view that a state came from, if the person sees it; otherwise say so and forget it."""
    if not state.view:
        return None, state
    found = saved_views.find(person_of(request, principal), SavedView, UUID(state.view))
    if found is None:
        problems.append(
            Problem("the saved view", "it was deleted or is not shared with you; its costs are shown")
        )
        return None, state.changed(view="")
    return found, state


@require_safe
@page()
def views(request: HttpRequest, principal: Principal) -> HttpResponse:
    """List the saved views that the person sees."""
    person = person_of(request, principal)
    found = saved_views.list_kept(person, SavedView)
    context = {"views": found, "home": saved_views.home_of(person), "kind": "views"}
    return render(request, "dashboard/views.html", context)


@action(Role.EDITOR)
def save(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Keep what a page shows under a name; from the explorer, so mistakes lead back there."""
    form = ViewForm(request.POST)
    state = _state(request.POST.get("query", ""), request.POST.get("page", ""))
    if not form.is_valid():
        messages.error(request, problems_of(form))
        return redirect(state.address)
    page_of = SavedView.Page.USAGE if state.is_usage else SavedView.Page.EXPLORE
    new = NewView(
        form.cleaned_data["name"], state.kept_text, page_of, is_shared=form.cleaned_data["is_shared"]
    )
    try:
        view = saved_views.save_view(person_of(request, principal), new)
    except TooManyError as error:
        messages.error(request, str(error))
        return redirect(state.address)
    who = "everybody of the account sees it" if view.is_shared else "only you see it"
    messages.success(request, f"Saved as “{view.name}”; {who}.")
    return redirect(state.changed(view=str(view.pk)).address)


@require_safe
@page()
def open_view(request: HttpRequest, principal: Principal, view_id: UUID) -> HttpResponse:
    """Show the page in the state that was saved; a relative range means the days of today."""
    view = get_kept(request, principal, SavedView, view_id)
    return redirect(state_of(view).address)


@action(Role.EDITOR)
def replace_state(request: HttpRequest, principal: Principal, view_id: UUID) -> HttpResponse:
    """Keep what the page shows now under the same name."""
    view = get_kept(request, principal, SavedView, view_id)
    state = _state(request.POST.get("query", "")[:QUERY_LENGTH], view.page)
    saved_views.replace_state(person_of(request, principal), view, state.kept_text)
    messages.success(request, f"“{view.name}” shows this from now on.")
    return redirect(state.changed(view=str(view.pk)).address)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Role.EDITOR)
def edit_view(request: HttpRequest, principal: Principal, view_id: UUID) -> HttpResponse:
    """Rename, share or stop sharing."""
    view = get_kept(request, principal, SavedView, view_id)
    return edit_kept(request, principal, view, "dashboard:views")


@action(Role.EDITOR)
def delete_view(request: HttpRequest, principal: Principal, view_id: UUID) -> HttpResponse:
    """Delete a view, and with it its tiles."""
    view = get_kept(request, principal, SavedView, view_id)
    saved_views.delete(person_of(request, principal), view)
    messages.success(request, f"“{view.name}” was deleted.")
    return redirect("dashboard:views")


def edit_kept(
    request: HttpRequest, principal: Principal, kept: SavedView | Dashboard, back: str
) -> HttpResponse:
    """Show and take the form that both kinds share."""
    initial = {"name": kept.name, "is_shared": kept.is_shared}
    form = KeptForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        saved_views.edit(person_of(request, principal), kept, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect(back)
    context = {"kept": kept, "form": form, "back": back, "is_view": isinstance(kept, SavedView)}
    return render(request, "dashboard/edit_kept.html", context)


@action()
def pin(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Choose what the person opens first: a view, a dashboard, or the Overview again."""
    person = person_of(request, principal)
    kept: SavedView | Dashboard | None = None
    if request.POST.get("dashboard"):
        kept = get_kept(request, principal, Dashboard, _uuid(request.POST["dashboard"]))
    elif request.POST.get("view"):
        kept = get_kept(request, principal, SavedView, _uuid(request.POST["view"]))
    saved_views.pin(person, kept)
    words = f"“{kept.name}” opens first from now on." if kept else "The Overview opens first again."
    messages.success(request, words)
    return redirect("dashboard:dashboards" if isinstance(kept, Dashboard) else "dashboard:views")


def problems_of(form: Form) -> str:
    """Return what is wrong with a form in one line, for a page that does not show the form again."""
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404("There is no such view or dashboard.") from error


def state_of(view: SavedView) -> State:
    """Return the state that a view was saved with, with where it comes from."""
    return _state(view.query, view.page).changed(view=str(view.pk))


def is_changed(view: SavedView | None, state: State) -> bool:
    """Say whether a page shows something else than the saved view it came from, however that was written."""
    return view is not None and state_of(view).kept_text != state.kept_text


def _state(query: str, page_of: str) -> State:
    """Read a state that a page of ours wrote; what it no longer understands it leaves at its default."""
    state, _ = states.read(QueryDict(query), utc_day(timezone.now()))
    return state.changed(metric="tokens") if page_of == SavedView.Page.USAGE else state
