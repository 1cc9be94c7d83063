"""WSGI entry point for gunicorn."""

import os
from typing import NoReturn

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# What gunicorn's master takes for: a new worker would fare no better.
_BOOT_ERROR = 3


def _refuse(reason: str) -> NoReturn:
    """End with one event in the log: of an exception gunicorn would write a line of its own beside it."""
    structlog.get_logger(__name__).critical("refused_to_start", reason=reason)
    raise SystemExit(_BOOT_ERROR)


try:
    django_application = get_wsgi_application()
except ImproperlyConfigured as error:
    _refuse(str(error))

# They need what the lines above have set up.
from foundation import request_guards  # noqa: E402
from integrations import checks  # noqa: E402

application = request_guards.with_readable_type(django_application)

if refusal := checks.refusal_to_start():
    _refuse(refusal)
connections.close_all()  # each thread opens its own
