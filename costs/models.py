"""Stored facts and what is true about them: versions, day digests, restatements, names.

Facts belong to a connection by foreign key only; this package knows no provider and no queue.
"""

from django.db import models
from django.db.models.functions import Now

from costs.fields import UsdField


class CostVersion(models.Model):
    """The columns a cost row has, whether it is current or superseded.

    Null is a value: no workspace is the classic default workspace, no model is a cost that has none.
    """

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40, help_text="The report (stream) the row came from.")
    day = models.DateField(help_text="UTC day.")
    row_key = models.BinaryField(help_text="16-byte hash of all key columns below.")
    origin = models.CharField(max_length=32)
    workspace_id = models.TextField(null=True)
    api_key_id = models.TextField(null=True)
    actor_type = models.TextField(null=True)
    actor_id = models.TextField(null=True)
    product = models.TextField(null=True)
    model = models.TextField(null=True)
    token_type = models.TextField(null=True)
    cost_type = models.TextField(null=True)
    service_tier = models.TextField(null=True)
    context_window = models.TextField(null=True)
    inference_geo = models.TextField(null=True)
    speed = models.TextField(null=True)
    description = models.TextField(null=True)
    extra = models.JSONField(default=dict, help_text="Upstream fields this version does not know.")
    amount_usd = UsdField()
    list_amount_usd = UsdField(null=True)
    observed_at = models.DateTimeField(help_text="When this version was first stored.")

    class Meta:
        abstract = True


class CostFact(CostVersion):
    """One current cost row: a day's amount for one combination of all dimensions."""

    class Meta:
        constraints = [
            # Also serves window reads and deletes: (connection, source, day) is its prefix.
            models.UniqueConstraint(fields=["connection", "source", "day", "row_key"], name="cost_row_once"),
        ]
        indexes = [models.Index(fields=["connection", "day"], name="cost_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.model or self.cost_type} {self.amount_usd} USD"


class SupersededCost(CostVersion):
    """A version of a cost row that upstream later changed or removed; true from observed_at until superseded_at."""

    superseded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["connection", "day"], name="superseded_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.model or self.cost_type} {self.amount_usd} USD until {self.superseded_at}"


class DayDigest(models.Model):
    """What is stored for one day of one report: its digest, size, total, and as of which request.

    An equal digest means the day needs no write. A row with no facts says "asked, and there was nothing".
    """

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40)
    day = models.DateField()
    digest = models.BinaryField()
    row_count = models.PositiveIntegerField()
    amount_usd = UsdField()
    as_of = models.DateTimeField(help_text="Start of the latest request that confirmed this content.")
    revised_at = models.DateTimeField(
        null=True, help_text="When its content last changed after first being stored."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "source", "day"], name="day_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.day}: {self.row_count} rows"


class Restatement(models.Model):
    """One observed change of a day that was already stored."""

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40)
    day = models.DateField()
    observed_at = models.DateTimeField()
    before_usd = UsdField()
    after_usd = UsdField()
    rows_added = models.PositiveIntegerField()
    rows_changed = models.PositiveIntegerField()
    rows_removed = models.PositiveIntegerField()
    was_provisional = models.BooleanField(
        help_text="The earlier content was read before the day had ended, so a change was expected."
    )
    run_id = models.UUIDField(null=True, help_text="The sync run that observed it.")

    class Meta:
        ordering = ["-observed_at", "-day"]
        indexes = [models.Index(fields=["connection", "day"], name="restatement_by_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.before_usd} to {self.after_usd} USD"


class Resource(models.Model):
    """A named thing costs refer to by id: a workspace now; keys and people later."""

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32)
    resource_id = models.TextField()
    is_default = models.BooleanField(
        default=False, help_text="The workspace that classic reports write as null."
    )
    archived_at = models.DateTimeField(null=True)
    attributes = models.JSONField(default=dict)
    first_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind", "resource_id"], name="resource_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.resource_id}"


class ResourceName(models.Model):
    """A name a resource had from valid_from until valid_to (null: still has)."""

    account_path = "resource__connection__account"

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="names")
    name = models.TextField()
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["resource"], condition=models.Q(valid_to__isnull=True), name="one_current_name"
            )
        ]

    def __str__(self) -> str:
        return self.name
