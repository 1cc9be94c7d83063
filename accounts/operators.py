"""What every admin page for operators shares: read-only tables, bounded counts and filters; holds no rule of any table."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from accounts.actions import difference

# Nobody pages further than this by hand, and PostgreSQL can only count by reading.
_MOST_COUNTED = 10_000
_MOST_CHOICES = 50


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than ten thousand rows, so that a table of millions opens as fast as an empty one."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows[:_MOST_COUNTED].count() if isinstance(rows, QuerySet) else len(rows)


class CappedRelatedFilter(admin.RelatedFieldListFilter):
    """Offers the first fifty related rows by name; others are reached through the links to a filtered list."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> Any:
        related = field.related_model._default_manager.all()  # noqa: SLF001 - the public way to a model's rows
        ordering = self.field_admin_ordering(field, request, model_admin)
        choices = [(str(row.pk), str(row)) for row in related.order_by(*ordering)[:_MOST_CHOICES]]
        chosen = self.lookup_val[0] if isinstance(self.lookup_val, list) else self.lookup_val
        if chosen and chosen not in dict(choices):
            choices.append((str(chosen), "As linked"))
        return choices


class OperatorAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The base of all pages: lists never count or show everything."""

    paginator = CappedPaginator
    show_full_result_count = False
    # "Show counts" beside a filter would count the whole table once per choice.
    show_facets = admin.ShowFacets.NEVER
    # Above this the link "show all" is not offered: it would load up to ten thousand rows at once.
    list_max_show_all = 200


class TouchedFieldsAdmin(OperatorAdmin):
    """A page that writes what the person changed on it, and leaves what somebody else changed meanwhile."""

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and not db_field.many_to_many:
            # Untouched is what the form showed, not what is stored by now: a box that was ticked then says nothing.
            field.show_hidden_initial = True
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        own = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=[name for name in form.changed_data if name in own])
        obj.refresh_from_db()


def differences(form: Any) -> dict[str, list[Any]]:
    """Return what the form changes about the row as it is stored by now, by field, as the audit log has it."""
    pairs = {name: (form.initial.get(name), form.cleaned_data[name]) for name in form.changed_data}
    return {name: difference(before, after) for name, (before, after) in pairs.items() if before != after}


class ReadOnlyAdmin(OperatorAdmin):
    """A table that people may look at and nobody may change here."""

    actions = None

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    """Rows shown beside their owner; nothing can be added, changed or removed."""

    extra = 0
    max_num = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


def all_fields_of(model: type[Model], *, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the names of the model's own columns in their order, for a page that only shows them."""
    fields: list[Field[Any, Any]] = list(model._meta.concrete_fields)
    return tuple(field.name for field in fields if field.name not in without)


def filtered_list(model_label: str, **filters: Any) -> str:
    """Return the address of a model's list ("app_model") narrowed to the given lookups."""
    return f"{reverse(f'admin:{model_label}_changelist')}?{urlencode(filters)}"
