"""Worker and beat without what only pages need: the modules of the admin are a quarter of what a worker would hold."""

from django.contrib.admin import apps as admin_apps


class OperatorsWithoutPages(admin_apps.SimpleAdminConfig):
    """Django's admin with its tables, so that every model is known, but without importing what its pages show."""

    default = False
    default_site = "accounts.operator_site.OperatorSite"
