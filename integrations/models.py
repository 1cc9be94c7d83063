"""Connection (what is connected, and in which state), its reports, and Credential (the encrypted key, kept apart)."""

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Account


class Provider(models.TextChoices):
    """Whose bill it is."""

    ANTHROPIC = "anthropic", "Anthropic"


class Status(models.TextChoices):
    """Where a connection stands; the reason and the remedy stand beside it."""

    PENDING = "pending", "Pending"
    BACKFILLING = "backfilling", "Backfilling"
    ACTIVE = "active", "Active"
    DEGRADED = "degraded", "Degraded"  # temporary trouble, retried by itself
    ERROR = "error", "Needs you"  # only a person can mend it
    PAUSED = "paused", "Paused"


class Connection(models.Model):
    """One organisation's surface, read with one stored key, for one account.

    A disconnected connection whose history was kept stays as a row without a key: its facts need their
    owner, and connecting the same organisation again revives it instead of counting its days twice.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="connections")
    provider = models.CharField(max_length=32, choices=Provider.choices, default=Provider.ANTHROPIC)
    origin = models.CharField(max_length=32, help_text="claude_platform or claude_ai, found by the probe.")
    label = models.CharField(max_length=120)
    cost_center = models.CharField(max_length=120, blank=True)
    organization_id = models.CharField(max_length=64, help_text="Pinned when first connected.")
    organization_name = models.CharField(max_length=254)
    key_hint = models.CharField(max_length=40, help_text="Prefix and last four characters.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    capabilities = models.JSONField(
        default=list, help_text="What the probe found the key can and cannot see."
    )
    cost_source = models.CharField(
        max_length=40, default="cost_report",
        help_text="The report whose amounts are the bill; another one answers for days this one does not have.",
    )  # fmt: skip
    connected_at = models.DateTimeField(default=timezone.now, help_text="Anew when it was revived.")
    backfill_days = models.PositiveIntegerField(help_text="Days of history asked for when it was connected.")
    wanted_from = models.DateField(
        help_text="The first day it should have: its backfill depth, or the first day upstream still reports."
    )
    settled_through = models.DateField(
        null=True, blank=True,
        help_text="Every wanted day up to here was read after its restatement window; syncs read on from here.",
    )  # fmt: skip
    first_data_at = models.DateTimeField(null=True, blank=True, help_text="When its first window was stored.")
    last_synced_at = models.DateTimeField(null=True, blank=True, help_text="When a run last succeeded.")
    next_sync_at = models.DateTimeField(null=True, blank=True, help_text="When its next daily sync is due.")
    disconnected_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            # Also for disconnected rows: the same organisation is revived, never added beside itself.
            models.UniqueConstraint(
                fields=["account", "provider", "origin", "organization_id"],
                name="organisation_once_per_account",
            ),
            models.UniqueConstraint(
                fields=["account", "label"],
                condition=models.Q(disconnected_at__isnull=True),
                name="label_once_per_account",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_sync_at"],
                condition=models.Q(disconnected_at__isnull=True),
                name="connection_due",
            )
        ]
        permissions = [
            ("sync_connection", "Can test a connection and force a sync"),
            ("pause_connection", "Can pause and resume a connection"),
            ("rotate_connection", "Can replace the key of a connection"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_disconnected(self) -> bool:
        """True once its key was deleted; only its history is left."""
        return self.disconnected_at is not None


class Report(models.Model):
    """One report of a connection: whether its key may read it, which days it should have, how far it is settled.

    A refused report stands still and says why, while the others go on.
    """

    account_path = "connection__account"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="reports")
    report_name = models.CharField(db_column="stream", max_length=40)
    kind = models.CharField(max_length=8, help_text="cost, usage, activity or names.")
    is_bill = models.BooleanField(
        default=False, help_text="A day of it adds up to everything the organisation is billed for."
    )
    is_refused = models.BooleanField(default=False, help_text="Upstream refuses it to this key.")
    wanted_from = models.DateField(
        null=True, help_text="The first day it should have; null for names, which have no days."
    )
    settle_days = models.PositiveSmallIntegerField(
        null=True,
        help_text="Days after which a reading is final; null: as many as its surface restates.",
    )
    settled_through = models.DateField(
        null=True, help_text="Every wanted day up to here was read after its restatement window."
    )
    reason = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    read_at = models.DateTimeField(null=True, help_text="When a window of it was last stored.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["connection", "report_name"], name="report_once")]

    def __str__(self) -> str:
        return f"{self.report_name} of {self.connection_id}"


class Credential(models.Model):
    """The encrypted key of a connection; read only by `integrations.vault`.

    A table of its own, so that no query for connections ever loads a key and no admin form can show one.
    """

    account_path = "connection__account"

    connection = models.OneToOneField(
        Connection, primary_key=True, on_delete=models.CASCADE, related_name="credential"
    )
    key_id = models.CharField(max_length=32, help_text="Which key of the ring encrypted it.")
    sealed = models.BinaryField(help_text="12-byte nonce, then AES-256-GCM ciphertext and tag.")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"credential of {self.connection_id} under {self.key_id}"
