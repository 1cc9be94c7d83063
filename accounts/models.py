"""Account (tenant), User, Membership, ApiToken, AuditEvent."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from knox.models import AbstractAuthToken


class Plan(models.TextChoices):
    """What the account pays for; it decides how far back a new connection is filled."""

    FREE = "free", "Free"
    PRO = "pro", "Pro"
    ULTIMATE = "ultimate", "Ultimate"


_BACKFILL_DAYS = {Plan.FREE: 30, Plan.PRO: 365, Plan.ULTIMATE: 365}


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
        return _BACKFILL_DAYS[Plan(self.plan)]


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


class ApiToken(AbstractAuthToken):
    """A program's access to one account with one role; only a digest of the token is stored."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name} ({self.role} of {self.account})"


class AuditEvent(models.Model):
    """One change or one use of a key by a person or a token; rows are only ever added."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="audit_events")
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.CharField(max_length=254, help_text="E-mail address, token name or command.")
    action = models.CharField(max_length=64, help_text="For example connection.rotated.")
    target = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=dict, blank=True, help_text="Field differences; never a secret.")

    class Meta:
        ordering = ["-at"]

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
