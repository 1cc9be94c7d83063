"""Operators' view of what was and is to be told to people; read-only, sending is the outbox's business."""

from django.contrib import admin

from accounts.operators import CappedRelatedFilter, ReadOnlyAdmin, all_fields_of
from alerts.models import OutboxMessage


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Messages, sent and waiting, with the last error of those that could not be sent."""

    list_display = ["created_at", "account", "kind", "subject", "attempts", "due_at", "sent_at", "last_error"]
    list_filter = [("sent_at", admin.EmptyFieldListFilter), ("account", CappedRelatedFilter)]
    list_select_related = ["account"]
    search_fields = ["subject", "kind", "event_key"]
    ordering = ["-id"]
    fields = all_fields_of(OutboxMessage)
