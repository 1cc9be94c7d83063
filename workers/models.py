"""The engine's rows: Lane, SyncRun, SyncStep, Page. They are the truth; a Celery message is only a wake-up."""

import uuid

from django.db import models
from django.db.models.functions import Now

from integrations.models import Connection


class Lane(models.Model):
    """One rate-limit owner: an Anthropic organisation × API family, shared by all its connections.

    `due_at` is the one clock the dispatcher reads: next attempt when waiting, end of the wake time-out
    when woken, end of the lease when leased. An active lane always has one, so its work is always found.
    """

    class State(models.TextChoices):
        IDLE = "idle"
        WAITING = "waiting"
        WOKEN = "woken"
        LEASED = "leased"

    organization_id = models.CharField(max_length=64)
    family = models.CharField(max_length=32)
    state = models.CharField(max_length=8, choices=State.choices, default=State.IDLE)
    due_at = models.DateTimeField(null=True)
    fencing_token = models.BigIntegerField(
        db_column="fence", default=0, help_text="Counts claims; a late holder's number is too old."
    )
    lease_id = models.UUIDField(
        db_column="lease_token", null=True, help_text="Beside the fence: a restored counter could repeat."
    )
    level_us = models.BigIntegerField(
        help_text="The bucket's level at level_at in microseconds of credit; seeds Redis after it lost the key."
    )
    level_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True, help_text="No request before this, after a 429.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization_id", "family"], name="lane_once"),
            models.CheckConstraint(
                condition=models.Q(state="idle") | models.Q(due_at__isnull=False),
                name="active_lane_has_a_clock",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=~models.Q(state="idle"), name="lane_due")]

    def __str__(self) -> str:
        return f"{self.organization_id}:{self.family}"


class Trigger(models.TextChoices):
    """Why a run exists."""

    CONNECT = "connect"
    DAILY = "daily"
    FORCE = "force"
    REREAD = "reread"


# Lower goes first inside a lane. A connection test is not a run: it takes its tokens directly and the
# last token of the bucket is left to it (see bucket.Bucket.acquire, `reserve`).
PRIORITY = {Trigger.FORCE: 10, Trigger.DAILY: 20, Trigger.REREAD: 30, Trigger.CONNECT: 40}


class SyncRun(models.Model):
    """One reason to fetch: a trigger and a range of days for one connection, of the reports of one API family."""

    account_path = "connection__account"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ACTIVE = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="runs")
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="runs")
    trigger = models.CharField(max_length=8, choices=Trigger.choices)
    from_day = models.DateField()
    to_day = models.DateField(help_text="Exclusive.")
    priority = models.PositiveSmallIntegerField()
    requested_by = models.CharField(max_length=254, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    steps_total = models.PositiveIntegerField(default=0)
    steps_done = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    rows_added = models.PositiveIntegerField(default=0)
    rows_changed = models.PositiveIntegerField(default=0)
    rows_removed = models.PositiveIntegerField(default=0)
    rows_unchanged = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(
        default=0, help_text="Answered failures in a row; sets the backoff."
    )
    claims_since_progress = models.PositiveIntegerField(
        default=0, help_text="Starts without any outcome: a step that kills its worker stops the run."
    )
    reason = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    # By the database's clock, like every other moment that decides an order: who waits long goes first.
    requested_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    last_request_at = models.DateTimeField(
        null=True, help_text="Whoever has waited long since it goes before what is more urgent."
    )
    last_progress_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            # The same wish twice is one run while it is open …
            models.UniqueConstraint(
                fields=["connection", "lane", "trigger", "from_day", "to_day"],
                condition=models.Q(status__in=["queued", "running"]),
                name="open_run_once",
            ),
            # … and a day's sync is one run for ever, however many schedulers ask for it.
            models.UniqueConstraint(
                fields=["connection", "lane", "to_day"],
                condition=models.Q(trigger="daily"),
                name="daily_run_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lane", "priority", "requested_at"],
                condition=models.Q(status__in=["queued", "running"]),
                name="open_runs_of_lane",
            )
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.from_day}..{self.to_day}"


class SyncStep(models.Model):
    """One report × one window of a run: the unit that is written whole or not at all."""

    account_path = "run__connection__account"

    class Status(models.TextChoices):
        QUEUED = "queued"
        DONE = "done"
        SKIPPED = "skipped"  # a report this key may not read, or that is not there or turned off; the sync goes on without it
        FAILED = "failed"  # refused or unreadable too often in a row

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    report_name = models.CharField(max_length=40, db_column="stream")
    window_start = models.DateField()
    window_end = models.DateField(help_text="Exclusive.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(
        db_column="generation", default=1, help_text="Counts restarts from page one."
    )
    cursor = models.TextField(null=True, help_text="The next page's token; null asks for page one.")
    query_hash = models.CharField(max_length=64, blank=True, help_text="The query the cursor belongs to.")
    # Not PositiveIntegerField: to add its check, PostgreSQL would read every step there has been under a full lock.
    pages_read = models.IntegerField(
        default=0, db_default=0, help_text="Pages of this attempt that were stored."
    )
    blank_pages = models.IntegerField(
        default=0, db_default=0, help_text="How many of the last of them held nothing."
    )
    failures = models.PositiveIntegerField(
        default=0,
        help_text="Refused or unreadable answers since its window last got further; 1 while upstream fails.",
    )
    not_before = models.DateTimeField(null=True, help_text="Its own backoff; other steps go on meanwhile.")
    reason = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="step_once")]

    def __str__(self) -> str:
        return f"{self.report_name} {self.window_start}..{self.window_end}"


class Page(models.Model):
    """One archived answer, compressed, exactly as it arrived; facts are written from here only."""

    account_path = "step__run__connection__account"

    step = models.ForeignKey(SyncStep, on_delete=models.CASCADE, related_name="pages")
    attempt = models.PositiveIntegerField(db_column="generation")
    sequence = models.PositiveIntegerField()
    path = models.TextField()
    query = models.JSONField(help_text="Name and value pairs as sent, the cursor included.")
    request_id = models.CharField(max_length=128, blank=True)
    status_code = models.PositiveSmallIntegerField()
    sha256 = models.BinaryField(help_text="Of the body as received, decompressed.")
    body = models.BinaryField(help_text="The body, compressed with zlib.")
    data_refreshed_at = models.DateTimeField(null=True)
    requested_at = models.DateTimeField(help_text="When the request started, by the database's clock.")

    class Meta:
        ordering = ["attempt", "sequence"]
        constraints = [models.UniqueConstraint(fields=["step", "attempt", "sequence"], name="page_once")]

    def __str__(self) -> str:
        return f"{self.path} page {self.sequence} ({self.request_id})"
