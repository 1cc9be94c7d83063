"""Makes `runtime` a Django app, so that its commands `up`, `release` and `test` are found; nothing else."""

from django.apps import AppConfig


class RuntimeConfig(AppConfig):
    """The app; it has no models."""

    name = "runtime"
    label = "runtime"
    verbose_name = "Runtime"
