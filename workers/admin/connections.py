"""The operators' pages for connections: the list, one connection, adding one; what actions do is beside it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.db.models import Max, Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from accounts.object_actions import FormPage, ObjectActionsMixin
from accounts.operators import CappedRelatedFilter, OperatorAdmin, filtered_list
from costs.models import DayDigest
from integrations.connections import LabelTakenError, NewConnection, RefusedError
from integrations.models import Connection
from workers import lifecycle, runs
from workers.admin import connection_actions
from workers.admin.connection_forms import ConnectForm, EditForm
from workers.clock import database_now
from workers.lifecycle import ConnectionStandsStillError

_SEEN = {True: "yes", False: "no", None: "not tried yet"}


class IsConnectedFilter(admin.SimpleListFilter):
    """Tells connections apart from those of which only the history is left."""

    title = "key"
    parameter_name = "connected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("yes", "Connected"), ("no", "Disconnected, history kept")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> QuerySet[Connection]:  # noqa: ARG002
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(disconnected_at__isnull=self.value() == "yes")


@admin.register(Connection)
class ConnectionAdmin(ObjectActionsMixin, OperatorAdmin):
    """What is connected and in which state; the key goes in and never comes out."""

    object_actions = connection_actions.ACTIONS
    form = EditForm
    actions = ["force_sync"]
    list_display = [
        "label", "state", "data_through", "last_synced_at", "next_sync_at",
        "account", "organization_name", "origin", "key_hint",
    ]  # fmt: skip
    list_filter = ["status", "origin", IsConnectedFilter, ("account", CappedRelatedFilter)]
    list_select_related = ["account"]
    search_fields = [
        "label", "account__name", "organization_name", "=organization_id", "key_hint", "cost_center",
    ]  # fmt: skip
    ordering = ["label"]
    fieldsets = [
        (None, {"fields": ["label", "cost_center"]}),
        ("State", {"fields": ["state", "detail", "remedy", "backfill", "runs_link"]}),
        ("Data", {"fields": ["data_through", "first_data_at", "last_synced_at", "next_sync_at", "backfill_days"]}),
        ("Identity", {"fields": [
            "id", "account", "provider", "origin", "organization_name", "organization_id", "key_hint",
            "can_see", "created_at", "disconnected_at",
        ]}),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        # One index look-up a row, in the same query: a list of a hundred stays one query.
        days = DayDigest.objects.filter(connection=OuterRef("pk")).values("connection")
        last_day = Subquery(days.annotate(last=Max("day")).values("last"))
        return super().get_queryset(request).select_related("account").annotate(last_day=last_day)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        shown = flatten_fieldsets(self.fieldsets)
        return [name for name in shown if name not in EditForm.base_fields]

    @admin.display(description="status", ordering="status")
    def state(self, connection: Connection) -> str:
        """Show the status, and the reason where there is one."""
        if connection.is_disconnected:
            return "Disconnected"
        status = connection.get_status_display()
        return f"{status}: {connection.reason}" if connection.reason else status

    @admin.display(ordering="last_day")
    def data_through(self, connection: Any) -> str:
        """Show the last day that is stored."""
        return f"{connection.last_day:%d %b %Y}" if connection.last_day else "-"

    @admin.display(description="key can see")
    def can_see(self, connection: Connection) -> str:
        """Show what the probe found, one line each."""
        return "\n".join(
            f"{found['name']}: {_SEEN[found['ok']]}. {found.get('detail') or ''}".strip()
            for found in connection.capabilities
        )

    @admin.display
    def backfill(self, connection: Connection) -> str:
        """Show how far the backfill is and when it should end."""
        progress = runs.backfill_progress(connection, now=database_now())
        if progress is None:
            return "-"
        done = f"{progress.days_done} of {progress.days_total} days, {progress.requests_left} requests left"
        return f"{done}, about {progress.eta_at:%d %b %Y %H:%M} UTC" if progress.eta_at else done

    @admin.display(description="runs")
    def runs_link(self, connection: Connection) -> SafeString:
        """Link to the connection's runs."""
        address = filtered_list("workers_syncrun", connection__id__exact=connection.pk)
        return format_html('<a href="{}">All runs of this connection</a>', address)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if isinstance(obj, Connection) and obj.is_disconnected:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False  # "Disconnect" asks what shall become of the history

    def has_sync_permission(self, request: HttpRequest) -> bool:
        """Say whether the person may test and sync; Django asks this for the bulk action."""
        return bool(request.user.has_perm("integrations.sync_connection"))

    @method_decorator(sensitive_post_parameters("api_key"))
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Connect an organisation; outside any transaction, because upstream is asked first."""
        del form_url, extra_context
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ConnectForm(request.POST if request.method == "POST" else None)
        connection = _connect(request, form) if form.is_valid() else None
        if connection is None:
            return self.form_page(request, FormPage("Connect an organisation", "Test key and connect", form))
        self.log_addition(request, connection, [{"added": {}}])
        self.message_user(
            request, f"Connected {connection.label} with key {connection.key_hint}. Its backfill is queued."
        )
        if not self.has_view_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        return HttpResponseRedirect(self._address_of(connection))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (LabelTakenError, ConnectionStandsStillError) as error:
            # Taken, or gone, between the form's look and the write.
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: Any) -> None:  # noqa: ARG002
        # What the person did not touch may have been changed by somebody else meanwhile.
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        lifecycle.edit(obj, **changes, actor=request.user.get_username())

    @admin.action(description="Force sync", permissions=["sync"])
    def force_sync(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        """Queue a sync of every chosen connection that can; name the others."""
        queued = running = 0
        for connection in queryset.filter(disconnected_at__isnull=True):
            try:
                _, created = lifecycle.force_sync(connection, None, actor=request.user.get_username())
            except ConnectionStandsStillError as refusal:
                self.message_user(request, str(refusal), messages.WARNING)
                continue
            self.log_change(request, connection, "Force sync")
            queued, running = queued + created, running + (not created)
        self.message_user(request, f"{queued} syncs queued, {running} already queued or running.")


def _connect(request: HttpRequest, form: ConnectForm) -> Connection | None:
    """Connect what the form asks for; a refusal becomes the form's error."""
    given = form.cleaned_data
    wanted = NewConnection(given["api_key"], label=given["label"], cost_center=given["cost_center"])
    try:
        return lifecycle.connect(given["account"], wanted, actor=request.user.get_username())
    except RefusedError as refusal:
        form.add_error("api_key", [refusal.advice.detail, refusal.advice.remedy])
    except LabelTakenError as error:
        form.add_error("label", str(error))
    return None
