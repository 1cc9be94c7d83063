"""The Overview: the first page, from the empty account to thirty days of costs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.permissions import Principal
from dashboard import freshness_summary, labels, ranges, saved_views
from dashboard import overview as presenter
from dashboard.access import page
from dashboard.connection_problems import list_trouble
from dashboard.explore import state as states
from dashboard.explore.state import State
from dashboard.models import Dashboard
from dashboard.views.saved import person_of
from dashboard.views.welcome import first_steps, unfinished
from foundation.periods import utc_day

# What people look for next, after models and workspaces.
_SPLITS = ("api_key_id", "actor_id", "product", "token_type", "cost_center")


@require_safe
@page()
def home(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show what the person opens first: what they pinned, or the Overview."""
    pinned = saved_views.home_of(person_of(request, principal))
    if isinstance(pinned, Dashboard):
        return redirect("dashboard:dashboard", dashboard_id=pinned.pk)
    if pinned is not None:
        return redirect("dashboard:view", view_id=pinned.pk)
    return _overview(request, principal)


@require_safe
@page()
def overview(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the Overview, whatever is pinned."""
    return _overview(request, principal)


def _overview(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Show the chosen period, or the way to the first connection while nothing is stored."""
    account = principal.account
    if (steps := first_steps(request, account)) is not None:
        return steps
    context: dict[str, object] = {**unfinished(account), "ranges": ranges.PRESETS.values()}
    today = utc_day(timezone.now())
    asked, problems = states.read_days(request.GET, today)
    state = asked or State()
    shown = presenter.overview(account, state, today)
    context |= {
        "overview": shown,
        "report": shown.report,
        "state": state,
        "problems": problems,
        "chart_document": shown.report.chart.document(shown.report.day_link),
        "trouble": list_trouble(account),
        "splits": [(labels.dimension(name), state.changed(group_by=(name,)).address) for name in _SPLITS],
    }
    return render(request, "dashboard/overview.html", context)


@require_safe
@page()
def progress(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Return the part that shows running backfills; reload the page when there is more to see than progress."""
    context = unfinished(principal.account)
    is_welcome = request.GET.get("at") == "welcome"
    if freshness_summary.has_data(principal.account) if is_welcome else not context["cards"]:
        return HttpResponseClientRefresh()
    return render(request, f"dashboard/parts/{'steps' if is_welcome else 'progress'}.html", context)
