"""App configuration."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # Connects the receivers; they name models, which are there only now.
        from accounts import sign_in_events  # noqa: F401, PLC0415


class OperatorsConfig(admin_apps.AdminConfig):
    """Django's admin under our own door."""

    default = False
    default_site = "accounts.operator_site.OperatorSite"
