"""The URL map: pages, API, admin, health."""

from allauth.account import views as sign_in
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import TemplateView

from config import health, metrics

handler400 = "config.problems.bad_request"
handler403 = "config.problems.permission_denied"
handler404 = "config.problems.not_found"
handler500 = "config.problems.server_error"

# Picked by name: allauth's own list has pages that we neither style nor want. With its e-mail page anybody
# signed in could take any address without proof. Its mails and redirects name `account_signup`,
# `account_inactive` and `account_set_password`.
_sign_in = [
    path("login/", sign_in.login, name="account_login"),
    path("logout/", sign_in.logout, name="account_logout"),
    path("inactive/", sign_in.account_inactive, name="account_inactive"),
    path("signup/", TemplateView.as_view(template_name="account/signup_closed.html"), name="account_signup"),
    path("password/change/", sign_in.password_change, name="account_change_password"),
    path("password/set/", sign_in.password_set, name="account_set_password"),
    path("password/reset/", sign_in.password_reset, name="account_reset_password"),
    path("password/reset/done/", sign_in.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        sign_in.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        sign_in.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include(_sign_in)),
    path("api/", include("config.api.urls")),
    path("healthz/live", health.live),
    path("healthz/ready", health.ready),
    path("healthz/data", health.data),
    path("metrics", metrics.metrics),
    path("", include("dashboard.urls")),
]
