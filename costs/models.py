"""Stored facts and what is true about them: versions, day digests, restatements, names.

Facts belong to a connection by foreign key only; this package knows no provider and no queue.
"""

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now

from costs.fields import UsdField
from costs.usage_records import TOKEN_COUNTS
from foundation.money import sum_usd


class CostVersion(models.Model):
    """The columns a cost row has, whether it is current or superseded.

    Null is a value: no workspace is the classic default workspace, no model is a cost that has none.
    """

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40, help_text="The report that the row came from.")
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
    attribution = models.TextField(
        null=True,
        help_text="How it came to its key and person; null as upstream stated it. See costs.attribution.",
    )
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


class CostHistory(CostVersion):
    """Every version of every cost row, current or superseded, for looking at costs as they were known.

    A view over both tables; the ids of current rows are even, those of superseded ones odd.
    """

    # The rows belong to two tables, which are cleared by themselves.
    connection = models.ForeignKey(
        "integrations.Connection", on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    superseded_at = models.DateTimeField(null=True, help_text="Null: still true.")

    class Meta:
        managed = False
        db_table = "costs_costhistory"

    def __str__(self) -> str:
        return f"{self.day} {self.model or self.cost_type} {self.amount_usd} USD"


class UsageFact(models.Model):
    """What was used on a day for one combination of the dimensions its report has.

    Null is a value, as in costs: no key is the Playground or a sign-in without one.
    """

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40, help_text="The report that the row came from.")
    day = models.DateField(help_text="UTC day.")
    row_key = models.BinaryField(help_text="16-byte hash of all key columns below.")
    origin = models.CharField(max_length=32)
    workspace_id = models.TextField(null=True)
    api_key_id = models.TextField(null=True)
    actor_type = models.TextField(null=True)
    actor_id = models.TextField(null=True)
    product = models.TextField(null=True)
    model = models.TextField(null=True)
    service_tier = models.TextField(null=True)
    context_window = models.TextField(null=True)
    inference_geo = models.TextField(null=True)
    speed = models.TextField(null=True)
    extra = models.JSONField(default=dict, help_text="Upstream fields this version does not know.")
    uncached_input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cache_read_input_tokens = models.BigIntegerField()
    cache_write_5m_tokens = models.BigIntegerField()
    cache_write_1h_tokens = models.BigIntegerField()
    web_search_requests = models.BigIntegerField()
    requests = models.BigIntegerField(
        null=True, help_text="Calls of the API; null where the report has none."
    )
    other_counts = models.JSONField(
        default=dict, help_text="Counts this version does not know, by upstream name."
    )
    observed_at = models.DateTimeField(help_text="When these values were first stored.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "source", "day", "row_key"], name="usage_row_once"),
        ]
        indexes = [
            models.Index(fields=["connection", "day"], name="usage_by_day"),
            models.Index(
                fields=["connection", "day"], condition=~models.Q(other_counts={}), name="usage_with_others"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.model} {self.output_tokens} output tokens"

    @property
    def total_tokens(self) -> int:
        """The sum of the five kinds of tokens."""
        return sum(getattr(self, name) for name in TOKEN_COUNTS)


class Rollup(models.Model):
    """A sum over the facts of a day by the dimensions of one grain (costs.rollups); the database keeps it up itself."""

    account_path = "connection__account"

    # Its index would repeat the beginning of the one below. Its constraint would repeat that of the facts, without
    # which there are no sums, at the price of one look a row: a fifth of the time that a page of facts takes.
    connection = models.ForeignKey(
        "integrations.Connection",
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    source = models.CharField(max_length=40, help_text="The report that the facts came from.")
    day = models.DateField(help_text="UTC day.")
    grain = models.SmallIntegerField(
        db_column="cut", help_text="Which dimensions it is summed by: costs.rollups numbers them."
    )
    origin = models.CharField(max_length=32)
    workspace_id = models.TextField(null=True)
    api_key_id = models.TextField(null=True)
    actor_type = models.TextField(null=True)
    actor_id = models.TextField(null=True)
    product = models.TextField(null=True)
    model = models.TextField(null=True)
    service_tier = models.TextField(null=True)
    context_window = models.TextField(null=True)
    inference_geo = models.TextField(null=True)
    speed = models.TextField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.source} {self.day} grain {self.grain}"


class DailyCost(Rollup):
    """What a day cost by some of the dimensions: the sum of its CostFact rows, exact."""

    token_type = models.TextField(null=True)
    cost_type = models.TextField(null=True)
    attribution = models.TextField(null=True)
    amount_usd = UsdField()

    class Meta:
        indexes = [models.Index(fields=["connection", "grain", "day"], name="daily_cost_by_cut")]


class DailyUsage(Rollup):
    """What was used on a day by some of the dimensions: the sums of its UsageFact rows."""

    uncached_input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cache_read_input_tokens = models.BigIntegerField()
    cache_write_5m_tokens = models.BigIntegerField()
    cache_write_1h_tokens = models.BigIntegerField()
    web_search_requests = models.BigIntegerField()
    requests = models.BigIntegerField(null=True, help_text="Null where one of its facts does not count them.")

    class Meta:
        indexes = [models.Index(fields=["connection", "grain", "day"], name="daily_usage_by_cut")]


class ActivityFact(models.Model):
    """What one person or key did with Claude Code on a day in one kind of terminal.

    Adoption, not cost: the estimate is upstream's, and its dollars are inside the bill already.
    """

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40, help_text="The report that the row came from.")
    day = models.DateField(help_text="UTC day.")
    row_key = models.BinaryField(help_text="16-byte hash of all key columns below.")
    origin = models.CharField(max_length=32)
    actor_type = models.TextField(null=True)
    actor_id = models.TextField(null=True, help_text="An e-mail address, or the name of a key.")
    customer_type = models.TextField(null=True)
    subscription_type = models.TextField(null=True)
    terminal_type = models.TextField(null=True)
    is_remote = models.TextField(null=True, help_text="'true', 'false', or null where upstream did not say.")
    extra = models.JSONField(default=dict, help_text="Upstream fields this version does not know.")
    sessions = models.BigIntegerField()
    lines_added = models.BigIntegerField()
    lines_removed = models.BigIntegerField()
    commits = models.BigIntegerField()
    pull_requests = models.BigIntegerField()
    estimated_cost_usd = UsdField(help_text="An estimate of what is inside the bill already; never add it.")
    tool_actions = models.JSONField(default=dict)
    model_tokens = models.JSONField(default=dict)
    observed_at = models.DateTimeField(help_text="When these values were first stored.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "source", "day", "row_key"], name="activity_row_once"
            ),
        ]
        indexes = [models.Index(fields=["connection", "day"], name="activity_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.actor_id} {self.sessions} sessions"


class DayDigest(models.Model):
    """What is stored for one day of one report: its digest, size, total, and as of which request.

    An equal digest means the day needs no write. A row with no facts says "asked, and there was nothing".
    """

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40)
    day = models.DateField()
    digest = models.BinaryField()
    version = models.SmallIntegerField(db_default=1, help_text="Which way of digesting it was made by.")
    row_count = models.PositiveIntegerField()
    amount_usd = UsdField(null=True, help_text="The day's total; null for reports that have no amounts.")
    as_of = models.DateTimeField(help_text="Start of the latest request that confirmed this content.")
    revised_at = models.DateTimeField(
        null=True, help_text="When its content last changed after first being stored."
    )
    first_stored_at = models.DateTimeField(
        null=True, help_text="When the day was first stored; null for days stored before this was kept."
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

    @property
    def difference_usd(self) -> Decimal:
        """How much more the day costs since; negative for less."""
        return sum_usd((self.after_usd, self.before_usd.copy_negate()))


class UpstreamNovelty(models.Model):
    """A word, field or count of a report that this version does not know: stored in the rows, told here."""

    class Kind(models.TextChoices):
        VALUE = "value", "new value"
        FIELD = "field", "new field"
        COUNT = "count", "new count"
        UNREAD = "unread", "unreadable"

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=40, help_text="The report (stream) that says it.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    field = models.TextField(help_text="Its name upstream.")
    value = models.TextField(blank=True, help_text="Empty for counts.")
    first_day = models.DateField(null=True, help_text="Null: in a list of names, which has no days.")
    last_day = models.DateField(null=True)
    first_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["source", "field", "value"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "source", "field", "value"], name="novelty_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.field} {self.value}"


class Resource(models.Model):
    """A named thing costs refer to by id: a workspace, an API key or a person (also a service account)."""

    account_path = "connection__account"

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32)
    resource_id = models.TextField()
    is_default = models.BooleanField(
        default=False, help_text="The workspace that classic reports write as null."
    )
    archived_at = models.DateTimeField(null=True)
    attributes = models.JSONField(default=dict)
    is_listed = models.BooleanField(
        default=True, help_text="Known from the list of such resources, not only from rows of reports."
    )
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
