"""Actions on one row of the admin: a button that posts, or a small form page; owns who may and by which method.

A state is only ever changed by POST, with CSRF protection, under a permission named per action. What an
action does is a function elsewhere; here is no knowledge of any table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import quote, unquote
from django.contrib.messages import ERROR
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.debug import sensitive_post_parameters

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _Base = ModelAdmin[Any]
else:
    _Base = object


class ActionRefusedError(Exception):
    """The action cannot be done now; the text says why and what to do."""


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ObjectAction:
    """
    One thing an operator can do to one row.

    `permission` is the full name ("app.codename"). With `form` the button leads to a page of its own, whose
    POST does it. `run(request, row[, form])` tells the outcome by messages and may return where to go next; when
    it cannot be done, it raises ActionRefusedError or adds errors to its form.
    """

    name: str
    label: str
    permission: str
    run: Callable[..., HttpResponse | None]
    is_offered: Callable[[Any], bool] = _always
    form: Callable[..., forms.Form] | None = None

    @property
    def slug(self) -> str:
        """The last part of the action's address."""
        return self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class FormPage:
    """What a form page shows around its form."""

    title: str
    submit: str
    form: forms.Form
    original: Any = None


class ObjectActionsMixin(_Base):
    """Adds `object_actions` to a ModelAdmin: addresses, checks, buttons on the change page."""

    object_actions: Sequence[ObjectAction] = ()
    change_form_template = "admin/object_actions/change_form.html"

    class Media:
        css = {"all": ["accounts/operators.css"]}

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/actions/{action.slug}/",
                self.admin_site.admin_view(self._view_of(action)),
                name=self._address_name(action),
            )
            for action in self.object_actions
        ]
        return own + super().get_urls()

    def _address_name(self, action: ObjectAction) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{action.name}"

    def _view_of(self, action: ObjectAction) -> Callable[[HttpRequest, str], HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return self._act(action, request, object_id)

        # Should the view ever fail, no error report may carry what was posted: it may be a key.
        return sensitive_post_parameters()(view)

    def _act(self, action: ObjectAction, request: HttpRequest, object_id: str) -> HttpResponse:
        methods = ["POST"] if action.form is None else ["GET", "HEAD", "POST"]
        if request.method not in methods:
            return HttpResponseNotAllowed(methods)
        if not self._may(action, request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not action.is_offered(row):
            self.message_user(request, f"{action.label} is not possible now.", ERROR)
            return HttpResponseRedirect(self._address_of(row))
        try:
            if action.form is not None:
                return self._act_by_form(action, action.form, request, row)
            answer = action.run(request, row)
        except ActionRefusedError as refusal:
            self.message_user(request, str(refusal), ERROR)
            return HttpResponseRedirect(self._address_of(row))
        self.log_change(request, row, action.label)
        return answer or HttpResponseRedirect(self._address_of(row))

    def _act_by_form(
        self, action: ObjectAction, build: Callable[..., forms.Form], request: HttpRequest, row: Any
    ) -> HttpResponse:
        form = build(request.POST if request.method == "POST" else None, row=row)
        if form.is_valid():
            answer = action.run(request, row, form)
            if not form.errors:
                self.log_change(request, row, action.label)
                return answer or HttpResponseRedirect(self._address_of(row))
        return self.form_page(request, FormPage(f"{action.label}: {row}", action.label, form, row))

    def form_page(self, request: HttpRequest, page: FormPage) -> TemplateResponse:
        """Return a page with one form, in the admin's own look."""
        fieldsets = [(None, {"fields": list(page.form.fields)})]
        context = {
            **self.admin_site.each_context(request),
            "title": page.title,
            "submit": page.submit,
            "original": page.original,
            "opts": self.opts,
            # A plain form does: the helper only walks over fields.
            "adminform": AdminForm(page.form, fieldsets, {}, model_admin=self),  # type: ignore[arg-type]
            "errors": page.form.errors,
            "media": self.media + page.form.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/object_actions/form.html", context)

    def _may(self, action: ObjectAction, request: HttpRequest) -> bool:
        # Whoever may not see the row must not learn of it by acting on it.
        return self.has_view_permission(request) and bool(request.user.has_perm(action.permission))

    def _address_of(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=(quote(row.pk),))

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context.get("original")
        context["object_actions"] = [] if row is None else self._buttons(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        return [
            {
                "label": action.label,
                "address": reverse(f"admin:{self._address_name(action)}", args=(quote(row.pk),)),
                "is_page": action.form is not None,
            }
            for action in self.object_actions
            if self._may(action, request) and action.is_offered(row)
        ]
