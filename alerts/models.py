"""OutboxMessage: what is to be told to an account's people, written with the change that causes it."""

from django.db import models

from accounts.models import Account


class OutboxMessage(models.Model):
    """
    One message, to everybody in an account or to one address; sent at least once, never written twice for one event.

    The body of a message to one address may have a place for a link that opens something; the link itself is made when
    it is sent (`accounts.links`) and stands in no row. What concerns nobody but a person is deleted once it is sent.
    """

    account = models.ForeignKey(
        Account, null=True, on_delete=models.CASCADE, related_name="outbox",
        help_text="Empty for what concerns a person's own sign-in.",
    )  # fmt: skip
    event_key = models.CharField(
        max_length=200, unique=True, help_text="Names the event; a second write is ignored."
    )
    kind = models.CharField(max_length=40)
    recipient = models.EmailField(
        blank=True, help_text="The one address it is for; empty for the account's people."
    )
    subject = models.CharField(max_length=200)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(help_text="When to try next.")
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at"]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(sent_at__isnull=True), name="outbox_due")
        ]

    def __str__(self) -> str:
        return self.subject
