"""Operators' view of what was and is to be told to people; read-only, sending is the outbox's business."""

from django.contrib import admin
from django.http import HttpRequest

from accounts.operators import CappedRelatedFilter, ReadOnlyAdmin, all_fields_of
from alerts.models import OutboxMessage


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Messages, sent and waiting, with the last error of those that could not be sent."""

    list_display = [
        "created_at", "account", "kind", "recipient", "subject", "attempts", "due_at", "sent_at", "last_error",
    ]  # fmt: skip
    list_filter = [("sent_at", admin.EmptyFieldListFilter), ("account", CappedRelatedFilter)]
    list_select_related = ["account"]
    search_fields = ["subject", "kind", "event_key"]
    ordering = ["-id"]

    def get_fields(self, request: HttpRequest, obj: OutboxMessage | None = None) -> tuple[str, ...]:  # noqa: ARG002
        # What is said to one person is for that person.
        return all_fields_of(OutboxMessage, without=("body",) if obj and obj.recipient else ())
