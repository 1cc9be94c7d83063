"""WSGI entry point for gunicorn."""

import os

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from integrations import checks  # noqa: E402 - it needs the models that the line above has set up

if refusal := checks.refusal_to_start():
    raise ImproperlyConfigured(refusal)
connections.close_all()  # each thread opens its own
