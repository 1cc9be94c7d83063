"""The operators' admin site: one door, the sign-in page; behind it only staff who have shown a second factor."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts import second_factor
from accounts.models import User


class OperatorSite(AdminSite):
    """Django's admin with the second factor as part of who may enter."""

    site_header = site_title = "Tallystick operators"
    index_title = "Installation"
    site_url = "/"
    # allauth's tables hold sealed secrets, session keys and identities: nothing for a page.
    hidden = frozenset({"account", "mfa", "socialaccount", "usersessions"})

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        given: Any = model_or_iterable
        models: list[Any] = [given] if isinstance(given, type) else list(given)
        shown = [model for model in models if model._meta.app_label not in self.hidden]
        super().register(shown, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and second_factor.was_shown(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Lead to what is missing: signing in, showing the second factor, or adding one."""
        user = request.user
        if (
            not isinstance(user, User)
            or not AdminSite.has_permission(self, request)
            or self.has_permission(request)
        ):
            # Counts failed attempts, and refuses whoever is signed in without being staff.
            answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)  # type: ignore[no-untyped-call]
            return answer
        if not second_factor.has_one(user):
            messages.warning(
                request, "Operators need a second factor: add an authenticator app or a passkey first."
            )
            return HttpResponseRedirect(reverse("mfa_index"))
        there = request.GET.get("next") or reverse("admin:index")
        return HttpResponseRedirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': there})}")
