"""Operators' view of the facts, exact to the last digit; read-only, and no list reads a whole table."""

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.operators import CappedRelatedFilter, ReadOnlyAdmin, ReadOnlyInline, all_fields_of
from costs.models import CostFact, DayDigest, Resource, ResourceName, Restatement, SupersededCost
from foundation.money import sum_usd, usd_text

_DAY = dt.timedelta(days=1)
_RECENT_DAYS = {"1": "Today", "2": "Since yesterday", "7": "Last 7 days", "31": "Last 31 days"}


class RecentDaysFilter(admin.SimpleListFilter):
    """
    The last days, by the index that starts with the connection.

    Django's date hierarchy asks for all days there are, which reads millions of rows.
    """

    title = "day"
    parameter_name = "days"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return list(_RECENT_DAYS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        days = self.value()
        if days not in _RECENT_DAYS:
            return queryset
        since = timezone.now().date() - _DAY * (int(days) - 1)
        connections = queryset.model._meta.get_field("connection").related_model._default_manager  # noqa: SLF001
        return queryset.filter(connection__in=connections.all(), day__gte=since)


class PerDayAdmin(ReadOnlyAdmin):
    """A table of rows per connection and day."""

    list_filter = [("connection", CappedRelatedFilter), RecentDaysFilter]
    list_select_related = ["connection"]
    sortable_by = ()

    def get_ordering(self, request: HttpRequest) -> Any:
        # Newest rows first straight from the primary key; newest days first once something narrows it down.
        narrowed = "connection__id__exact" in request.GET or RecentDaysFilter.parameter_name in request.GET
        return ["-day", "-id"] if narrowed else ["-id"]


def _exact(amount: Decimal | None) -> str:
    return "-" if amount is None else usd_text(amount)


class CostVersionAdmin(PerDayAdmin):
    """One version of one cost row."""

    list_display: Any = (
        "day", "amount", "model", "token_type", "cost_type", "workspace_id", "source", "connection", "observed_at",
    )  # fmt: skip
    fields: ClassVar[Any] = (
        *all_fields_of(CostFact, without=("row_key", "amount_usd", "list_amount_usd", "extra", "observed_at")),
        "amount", "list_amount", "extra", "row_identity", "observed_at",
    )  # fmt: skip

    @admin.display(description="amount (USD)")
    def amount(self, row: Any) -> str:
        """Show every digit."""
        return _exact(row.amount_usd)

    @admin.display(description="list amount (USD)")
    def list_amount(self, row: Any) -> str:
        """Show every digit; a dash where upstream gave none."""
        return _exact(row.list_amount_usd)

    @admin.display(description="row key")
    def row_identity(self, row: Any) -> str:
        """Show the hash of the key columns as hexadecimal digits."""
        return bytes(row.row_key).hex()


@admin.register(CostFact)
class CostFactAdmin(CostVersionAdmin):
    """What is true now."""


@admin.register(SupersededCost)
class SupersededCostAdmin(CostVersionAdmin):
    """What was true until upstream changed it."""

    list_display = (*CostVersionAdmin.list_display, "superseded_at")
    fields = (*CostVersionAdmin.fields, "superseded_at")


@admin.register(DayDigest)
class DayDigestAdmin(PerDayAdmin):
    """What is stored for each day of each report, and as of when."""

    list_display = ["day", "connection", "source", "row_count", "amount", "as_of", "revised_at"]
    fields = ("connection", "source", "day", "row_count", "amount", "as_of", "revised_at", "content_digest")

    @admin.display(description="amount (USD)")
    def amount(self, row: DayDigest) -> str:
        """Show every digit."""
        return _exact(row.amount_usd)

    @admin.display(description="digest")
    def content_digest(self, row: DayDigest) -> str:
        """Show the digest as hexadecimal digits."""
        return bytes(row.digest).hex()


@admin.register(Restatement)
class RestatementAdmin(PerDayAdmin):
    """Every observed change of a day that was already stored."""

    list_display = [
        "observed_at", "day", "connection", "source", "before", "after", "change",
        "rows_added", "rows_changed", "rows_removed", "was_provisional",
    ]  # fmt: skip
    fields = (
        "connection", "source", "day", "observed_at", "before", "after", "change",
        "rows_added", "rows_changed", "rows_removed", "was_provisional", "run_id",
    )  # fmt: skip

    @admin.display(description="before (USD)")
    def before(self, row: Restatement) -> str:
        """Show every digit."""
        return _exact(row.before_usd)

    @admin.display(description="after (USD)")
    def after(self, row: Restatement) -> str:
        """Show every digit."""
        return _exact(row.after_usd)

    @admin.display(description="change (USD)")
    def change(self, row: Restatement) -> str:
        """Show by how much the day moved."""
        return _exact(sum_usd([row.after_usd, row.before_usd.copy_negate()]))


class ResourceNameInline(ReadOnlyInline):
    """The names a resource had."""

    model = ResourceName
    fields = ["name", "valid_from", "valid_to"]
    ordering = ["-valid_from"]


@admin.register(Resource)
class ResourceAdmin(ReadOnlyAdmin):
    """Named things that costs refer to by id, with all their names."""

    list_display = ["resource_id", "kind", "connection", "is_default", "archived_at", "first_seen_at"]
    list_filter = ["kind", "is_default", ("connection", CappedRelatedFilter)]
    list_select_related = ["connection"]
    search_fields = ["=resource_id", "names__name"]
    ordering = ["-id"]
    fields = all_fields_of(Resource)
    inlines = [ResourceNameInline]


@admin.register(ResourceName)
class ResourceNameAdmin(ReadOnlyAdmin):
    """All names, with the time each was in use."""

    list_display = ["name", "resource", "connection", "valid_from", "valid_to"]
    list_select_related = ["resource__connection"]
    search_fields = ["name", "=resource__resource_id"]
    ordering = ["-id"]
    fields = ("resource", "connection", "name", "valid_from", "valid_to")

    @admin.display
    def connection(self, name: ResourceName) -> Any:
        """Name the connection the resource belongs to."""
        return name.resource.connection
