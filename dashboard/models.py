"""What people keep of the pages: saved views, dashboards of them, and what each person opens first."""

import uuid
from typing import ClassVar

from django.db import models

from accounts.models import Account, User

NAME_LENGTH = 120
# Forty filters of real ids fit; the address bar of a browser takes about as much.
QUERY_LENGTH = 4000


class Kept(models.Model):
    """What saved views and dashboards have in common: whose they are, and whether the account sees them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    # What is shared outlives the person who made it.
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=NAME_LENGTH)
    is_shared = models.BooleanField(default=False, help_text="Seen by everybody of the account.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["name", "created_at"]

    def __str__(self) -> str:
        return self.name


class SavedView(Kept):
    """A state of a page under a name; the state is the query of the page's address, as the page writes it."""

    class Page(models.TextChoices):
        EXPLORE = "explore", "Cost explorer"
        USAGE = "usage", "Usage"

    page = models.CharField(max_length=16, choices=Page.choices, default=Page.EXPLORE)
    query = models.CharField(max_length=QUERY_LENGTH, blank=True)

    class Meta(Kept.Meta):
        indexes = [models.Index(fields=["account", "name"], name="saved_view_by_name")]


class Dashboard(Kept):
    """Saved views arranged on a grid."""

    class Meta(Kept.Meta):
        indexes = [models.Index(fields=["account", "name"], name="dashboard_by_name")]


class Tile(models.Model):
    """One place of a dashboard: a saved view, how wide it is and what of it is shown."""

    class Width(models.TextChoices):
        THIRD = "third", "One third"
        HALF = "half", "Half"
        TWO_THIRDS = "two-thirds", "Two thirds"
        FULL = "full", "Full width"

    class Shows(models.TextChoices):
        CHART = "chart", "Chart"
        TABLE = "table", "Table"
        FIGURE = "figure", "Total and change"

    account_path = "dashboard__account"

    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="tiles")
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="tiles")
    position = models.PositiveIntegerField()
    width = models.CharField(max_length=16, choices=Width.choices, default=Width.HALF)
    shows = models.CharField(max_length=16, choices=Shows.choices, default=Shows.CHART)

    class Meta:
        ordering: ClassVar[list[str]] = ["position", "pk"]

    def __str__(self) -> str:
        return f"{self.view} on {self.dashboard}"


class Home(models.Model):
    """What one person opens first in one account, in place of the Overview."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, null=True, related_name="+")
    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "user"], name="one_home_each"),
            models.CheckConstraint(
                condition=models.Q(view__isnull=True) ^ models.Q(dashboard__isnull=True),
                name="home_is_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return str(self.view or self.dashboard)
