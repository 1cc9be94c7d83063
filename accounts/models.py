"""Account (tenant), User, Membership, Invitation, ApiToken, SqlReader, AuditEvent."""

import datetime as dt
import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from knox.models import AbstractAuthToken


class Plan(models.TextChoices):
    """What the account pays for; it decides how far back a new connection is filled."""

    FREE = "free", "Free"
    PRO = "pro", "Pro"
    ULTIMATE = "ultimate", "Ultimate"


_BACKFILL_DAYS = {Plan.FREE: 30, Plan.PRO: 365, Plan.ULTIMATE: 365}


def backfill_days_of(plan: Plan) -> int:
    """Return how many days of history a plan includes."""
    return _BACKFILL_DAYS[plan]


class Role(models.TextChoices):
    """What a person or a token may do inside one account; each role includes the ones before it."""

    VIEWER = "viewer", "Viewer"
    EDITOR = "editor", "Editor"
    ADMIN = "admin", "Admin"


class Account(models.Model):
    """One tenant: connections, facts, people and tokens belong to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    plan = models.CharField(max_length=16, choices=Plan.choices, default=Plan.PRO)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def backfill_days(self) -> int:
        """Days of history a new connection is filled with."""
        return backfill_days_of(Plan(self.plan))


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address; there is no user name."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a person who can sign in once a password is set."""
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create an operator of the installation."""
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})


class User(AbstractUser):
    """A person; what they may do in an account is on the membership, `is_staff` opens the Django admin."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    accounts = models.ManyToManyField(Account, through="Membership", related_name="users")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        ordering = ["email"]

    def __str__(self) -> str:
        return self.email


class Membership(models.Model):
    """A person's role in one account."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.account}"


class Invitation(models.Model):
    """
    An offer of a role in an account to whoever reads the mail of one address; good for one use, for a while.

    The link in the mail is the row's id under the installation's signature (`accounts.invitations`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(help_text="In lower case.")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role} of {self.account}"

    def is_open(self, now: dt.datetime) -> bool:
        """Say whether it can be accepted."""
        return self.accepted_at is None and self.revoked_at is None and now < self.expires_at


class ApiToken(AbstractAuthToken):
    """
    A program's access to one account; only a digest of the token is stored.

    It can do what its role allows and never more than its owner at that moment: who leaves an account or
    loses a role there takes it from the tokens, too.
    """

    # The primary key is the digest, which no address may show.
    public_id = models.UUIDField(unique=True, editable=False, db_default=RandomUUID())
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    is_read_only = models.BooleanField(
        default=False, help_text="Reads what its role may read, changes nothing."
    )
    last_used_at = models.DateTimeField(null=True, blank=True)

    # The owner's role in the account, filled in by `accounts.tokens` when the token is used.
    owner_role: Role | None = None

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name} ({self.role} of {self.account})"


class SqlReader(models.Model):
    """
    A login role of the database that reads one account through the views of the schema `bi`.

    The views look the asking role up here, so a row decides whose rows it sees; see `accounts.sql_readers`.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sql_readers")
    role_name = models.CharField(max_length=63, unique=True, help_text="As PostgreSQL spells it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["role_name"]

    def __str__(self) -> str:
        return f"{self.role_name} reads {self.account}"


class AuditEvent(models.Model):
    """
    One change or one use of a key by a person or a token; the database refuses to change or remove a row.

    `accounts.audit` writes them, `accounts.actions` knows what each means. Without an account it concerns the
    installation: a sign-in of somebody who belongs to none, an erased account.
    """

    account = models.ForeignKey(Account, null=True, on_delete=models.CASCADE, related_name="audit_events")
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.CharField(max_length=254, help_text="E-mail address, token name or command.")
    # A number and no foreign key: the event outlives the person's row and must never be updated.
    person_id = models.BigIntegerField(null=True, help_text="The person's id, when one was signed in.")
    token_prefix = models.CharField(
        max_length=8, blank=True, help_text="How the token begins, when one was used."
    )
    action = models.CharField(max_length=64, help_text="For example connection.rotated.")
    target = models.CharField(max_length=254, blank=True, help_text="What it was done to, by its name then.")
    target_id = models.CharField(max_length=64, blank=True)
    changes = models.JSONField(default=dict, blank=True, help_text="Field differences; never a secret.")
    address = models.GenericIPAddressField(null=True, help_text="Where the request came from.")
    request_id = models.CharField(max_length=64, blank=True, help_text="The same as in the logs.")

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["account", "-at", "-id"], name="audit_newest_first")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"


class IdempotencyRecord(models.Model):
    """What a creating request of the API was answered, so that sending it again creates nothing.

    Written by `accounts.idempotency`. The request is kept as an HMAC only, since it may hold a key.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255, help_text="The client's Idempotency-Key.")
    request_hmac = models.CharField(max_length=64, help_text="Of method, path and body.")
    status = models.PositiveSmallIntegerField(
        null=True, help_text="Null while the first request is worked on."
    )
    answer = models.JSONField(null=True, help_text="The body of the answer; never a secret.")
    claimed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["account", "claimed_at"], name="idempotency_expiry")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status or 'in progress'}"
