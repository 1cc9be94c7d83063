"""The shapes of tokens and audit events in the REST API."""

from typing import Any

from rest_framework import serializers

from accounts.actions import ACTIONS, sentence
from accounts.models import ApiToken, AuditEvent, Role
from foundation.api.fields import Choice, TextField
from foundation.api.pagination import PageQuery
from foundation.api.parameters import RangeFields
from foundation.api.parsing import QuerySerializer


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without anything that opens something."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    prefix = serializers.SerializerMethodField(help_text="The first eight characters, to recognise it by.")
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)
    access = serializers.SerializerMethodField(help_text="`full`, or `read-only` whatever the role.")
    owner = serializers.EmailField(source="user.email", read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "prefix",
            "role",
            "access",
            "owner",
            "created_at",
            "last_used_at",
            "expires_at",
        ]
        read_only_fields = fields

    def get_prefix(self, token: ApiToken) -> str:
        """Return what pages show of it, too."""
        return str(token.token_key[:8])

    def get_access(self, token: ApiToken) -> str:
        """Say whether it may change something."""
        return "read-only" if token.is_read_only else "full"


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """One event as it was recorded, and as a sentence."""

    token_prefix = serializers.CharField(read_only=True, help_text="Empty when no token was used.")
    changes = serializers.SerializerMethodField(help_text="Recorded fields; a pair is before and after.")
    sentence = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = [
            "id", "at", "actor", "person_id", "token_prefix", "action", "target", "target_id", "changes", "address",
            "request_id", "sentence",
        ]  # fmt: skip
        read_only_fields = fields

    def get_changes(self, event: AuditEvent) -> dict[str, Any]:
        """Return the recorded fields."""
        return dict(event.changes)

    def get_sentence(self, event: AuditEvent) -> str:
        """Say what happened."""
        return sentence(event)


class AuditExportQuery(RangeFields, QuerySerializer):
    """Which events."""

    is_range_required = False

    action = serializers.ListField(
        child=Choice(sorted(ACTIONS)), required=False, help_text="Several mean *or*."
    )
    actor = TextField(
        required=False, trim_whitespace=False, max_length=254, help_text="The whole name, as in the events."
    )


class AuditQuery(AuditExportQuery, PageQuery):
    """Which events to list."""
