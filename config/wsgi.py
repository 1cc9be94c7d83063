"""WSGI entry point for gunicorn."""

import os

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_wsgi_application()

# They need what the line above has set up.
from config import edge  # noqa: E402
from integrations import checks  # noqa: E402

application = edge.with_readable_type(django_application)

if refusal := checks.refusal_to_start():
    raise ImproperlyConfigured(refusal)
connections.close_all()  # each thread opens its own
