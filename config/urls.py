"""The URL map: pages, API, admin, health."""

from django.contrib import admin
from django.urls import include, path

from accounts.pages import urls as pages
from config import health, metrics

handler400 = "foundation.problems.bad_request"
handler403 = "foundation.problems.permission_denied"
handler404 = "foundation.problems.not_found"
handler500 = "foundation.problems.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include(pages.sign_in)),
    path("settings/", include((pages.settings, "settings"))),
    path("", include(pages.own)),
    path("api/", include("config.api_urls")),
    path("healthz/live", health.live),
    path("healthz/ready", health.ready),
    path("healthz/data", health.data),
    path("metrics", metrics.metrics),
    path("", include("dashboard.urls")),
]
