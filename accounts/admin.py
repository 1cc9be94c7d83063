"""Operators' pages for tenants, people, roles, tokens and the audit log; never shows a digest or a password."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import audit, tokens
from accounts.actions import difference, sentence
from accounts.models import Account, ApiToken, AuditEvent, Membership, User
from accounts.object_actions import FormPage, ObjectActionsMixin
from accounts.operators import (
    CappedRelatedFilter,
    ReadOnlyAdmin,
    TouchedFieldsAdmin,
    all_fields_of,
    differences,
    filtered_list,
)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    """Who belongs to which account, and as what."""

    model = Membership
    extra = 0
    autocomplete_fields = ["user", "account"]


class MembersOfAccountMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Writes changed memberships into the audit log of the account they open or close."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        before = {each.instance.pk: each.initial.get("role") for each in formset.initial_forms}
        super().save_formset(request, form, formset, change)
        for membership in formset.new_objects:
            _record_member(request, membership, "member.added", membership.role)
        for membership, _fields in formset.changed_objects:
            role = difference(before[membership.pk], membership.role)
            _record_member(request, membership, "member.changed", role)
        for membership in formset.deleted_objects:
            _record_member(request, membership, "member.removed", membership.role)


def _record_member(request: HttpRequest, membership: Membership, action: str, role: Any) -> None:
    actor, person = request.user.get_username(), membership.user
    audit.record(membership.account, actor, action, person.email, target_id=person.pk, role=role)


@admin.register(Account)
class AccountAdmin(MembersOfAccountMixin, TouchedFieldsAdmin):
    """Tenants; erasing one means disconnecting its connections first, so nothing is deleted here."""

    list_display = ["name", "plan", "connections", "people", "created_at"]
    list_filter = ["plan"]
    search_fields = ["name"]
    readonly_fields = ["id", "created_at"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        counts = {
            "connection_count": Count("connections", distinct=True),
            "people_count": Count("memberships", distinct=True),
        }
        return super().get_queryset(request).annotate(**counts)

    @admin.display(ordering="connection_count")
    def connections(self, account: Any) -> SafeString:
        """Link to the account's connections."""
        address = filtered_list("integrations_connection", account__id__exact=account.pk)
        return format_html('<a href="{}">{}</a>', address, account.connection_count)

    @admin.display(ordering="people_count")
    def people(self, account: Any) -> int:
        """Count the account's members."""
        return int(account.people_count)

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        changes = (
            differences(form) if change else {name: form.cleaned_data[name] for name in form.changed_data}
        )
        if changes:
            action = "account.edited" if change else "account.created"
            audit.record(obj, request.user.get_username(), action, obj.name, target_id=obj.pk, **changes)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    """A person's e-mail address and, unless they sign in another way, a first password."""

    class Meta:
        model = User
        fields = ["email"]
        field_classes: dict[str, type[forms.Field]] = {}

    def clean_email(self) -> str:
        """Store addresses in lower case, as sign-in looks them up."""
        return User.objects.normalize_email(self.cleaned_data["email"]).lower()


class ChangeUserForm(UserChangeForm):  # type: ignore[type-arg]
    """The person's own fields; the password is shown as a statement about its hash, never itself."""

    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, type[forms.Field]] = {}

    def clean_email(self) -> str:
        """Store addresses in lower case, as sign-in looks them up."""
        return User.objects.normalize_email(self.cleaned_data["email"]).lower()


PERSON_FIELDS = frozenset({"email", "first_name", "last_name", "is_active", "is_staff", "is_superuser"})


@admin.register(User)
class UserAdmin(MembersOfAccountMixin, DjangoUserAdmin, TouchedFieldsAdmin):  # type: ignore[type-arg]
    """People, by e-mail address; whoever leaves is deactivated, so that what they did keeps its author."""

    form = ChangeUserForm
    add_form = NewUserForm
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),
    )
    list_display = ("email", "first_name", "last_name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    readonly_fields = ("last_login", "date_joined")
    inlines = [MembershipInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        # Otherwise whoever may edit people could make themselves anything.
        powers = ("is_staff", "is_superuser", "groups", "user_permissions")
        return fields if _is_superuser(request) else (*fields, *powers)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, User) and obj.is_superuser and not _is_superuser(request):
            return False  # setting a superuser's password would be becoming one
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        before = _powers(form.instance) if change else {}
        super().save_related(request, form, formsets, change)
        after = _powers(form.instance)
        changes = {}
        if change:
            changes = {name: told for name, told in differences(form).items() if name in PERSON_FIELDS}
            changes |= {
                name: difference(before[name], after[name]) for name in after if before[name] != after[name]
            }
        actor = request.user.get_username()
        if not change:
            audit.record_person(form.instance, "person.created", actor=actor)
        elif changes:
            audit.record_person(form.instance, "person.edited", actor=actor, **changes)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        before = User.objects.filter(pk=id).values_list("password", flat=True).first()
        answer = super().user_change_password(request, id, form_url)
        user = User.objects.filter(pk=id).first()
        if user and user.password != before:
            audit.record_person(user, "password.set_by_operator", actor=request.user.get_username())
        return answer


def _powers(user: User) -> dict[str, str]:
    """Return what stands in tables of its own, as text."""
    return {
        "groups": ", ".join(map(str, user.groups.all())),
        "user_permissions": ", ".join(sorted(each.codename for each in user.user_permissions.all())),
    }


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


class RevokeForm(forms.Form):
    """Asks before a program loses its access."""

    sure = forms.BooleanField(label="Revoke this token now; programs that use it get 401 at once")


@admin.register(ApiToken)
class ApiTokenAdmin(ObjectActionsMixin, ReadOnlyAdmin):
    """
    Tokens: look and revoke. They are made by `manage.py issue_token` or in the settings of an account.

    The primary key is the digest, so no page here may use it as an address: rows are addressed by the public
    prefix, and Django's own pages for one row, whose links carry the key, do not exist.
    """

    list_display = [
        "name", "revoking", "account", "role", "is_read_only", "prefix", "last_used_at", "expiry", "user", "created",
    ]  # fmt: skip
    list_display_links = None
    list_filter = ["role", ("account", CappedRelatedFilter)]
    list_select_related = ["account", "user"]
    search_fields = ["name", "user__email", "account__name"]
    ordering = ["-created"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="accounts_apitoken_changelist"),
            path("<str:prefix>/revoke/", view(self.revoke_view), name="accounts_apitoken_revoke"),
        ]

    @admin.display(ordering="token_key")
    def prefix(self, token: ApiToken) -> str:
        """Show the first characters, by which the owner of a token recognises it."""
        return f"{token.token_key[:8]}…"

    @admin.display(description="")
    def revoking(self, token: ApiToken) -> SafeString:
        """Link to the page that asks before it revokes."""
        address = reverse("admin:accounts_apitoken_revoke", args=(token.token_key,))
        return format_html('<a href="{}">Revoke…</a>', address)

    def revoke_view(self, request: HttpRequest, prefix: str) -> HttpResponse:
        """Ask on GET, delete the token on POST."""
        if not request.user.has_perm("accounts.delete_apitoken"):
            raise PermissionDenied
        token = get_object_or_404(ApiToken.objects.select_related("account"), token_key=prefix)
        form = RevokeForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self.form_page(request, FormPage(f"Revoke {token}", "Revoke", form))
        tokens.revoke(token, actor=request.user.get_username())
        self.message_user(request, f"Revoked {token.name}.")
        return HttpResponseRedirect(reverse("admin:accounts_apitoken_changelist"))


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what and when; rows are only ever added."""

    list_display = ["at", "account", "actor", "action", "target", "told"]
    list_filter = [("at", admin.DateFieldListFilter), ("account", CappedRelatedFilter)]
    list_select_related = ["account"]
    search_fields = ["actor", "action", "target", "=request_id"]
    fields = all_fields_of(AuditEvent)

    @admin.display(description="sentence")
    def told(self, event: AuditEvent) -> str:
        """Say the event as a sentence."""
        return sentence(event)
