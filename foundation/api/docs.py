"""The OpenAPI document and its reader (Swagger UI) under the site's strict content policy: no inline script or style."""

from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils.html import format_html

from foundation.problems import read_only

_SIDECAR = "drf_spectacular_sidecar/swagger-ui-dist"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tallystick API</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{css}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{bundle}"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
# No validator badge: it would send the address of this installation to a public service.
_START = """SwaggerUIBundle({
  url: "/api/schema/?format=json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""


@read_only
def docs(_request: HttpRequest) -> HttpResponse:
    """Serve the page; it needs no sign-in, since it shows the interface and no data."""
    return HttpResponse(
        format_html(
            _PAGE,
            icon=static(f"{_SIDECAR}/favicon-32x32.png"),
            css=static(f"{_SIDECAR}/swagger-ui.css"),
            bundle=static(f"{_SIDECAR}/swagger-ui-bundle.js"),
        )
    )


@read_only
def start_script(_request: HttpRequest) -> HttpResponse:
    """Serve the script that starts the page."""
    return HttpResponse(_START, content_type="text/javascript; charset=utf-8")
