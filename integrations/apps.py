"""App configuration."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        """Register the system check of the key ring."""
        from integrations import checks  # noqa: F401, PLC0415 - checks register on import, after the models
