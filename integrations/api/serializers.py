"""The documents of connections and runs as the API writes and reads them; no rule of the domain."""

import datetime as dt
import math
from typing import Any, ClassVar

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from costs.records import Origin
from foundation.api.fields import Choice, TextField
from foundation.api.pagination import PageQuery
from foundation.api.parameters import DayField, RangeFields, TextOrNullField
from foundation.api.parsing import QuerySerializer, StrictSerializer
from integrations.models import Provider, Status
from workers import runs
from workers.models import SyncRun, Trigger

# The type checker is told to accept fields called `label`: DRF takes declared fields off the class, so they
# do not hide the attribute of that name.
_MAX_KEY_CHARACTERS = 500
# Also what only looks blank: the document can say so, and "this is no key" would not help whoever pasted nothing.
_BLANK: dict[str, Any] = {"blank": "Paste the key; this is blank."}
_NOT_BLANK = RegexValidator(r"[!-~]", _BLANK["blank"], "blank")
_REASON = "Stable code, see docs/api.md; null when there is nothing to say."


class OrganizationSerializer(serializers.Serializer[Any]):
    """Whose key it is."""

    id = serializers.CharField()
    name = serializers.CharField()


class CapabilitySerializer(serializers.Serializer[Any]):
    """One report a key can or cannot read."""

    name = serializers.CharField()
    ok = serializers.BooleanField(allow_null=True, help_text="Null: not tried yet, the first sync does.")
    reason = TextOrNullField()
    detail = TextOrNullField()


class WaitField(serializers.IntegerField):
    """Whole seconds, rounded up: who comes back in between would be early."""

    def to_representation(self, value: float) -> int:
        return math.ceil(value)


class TestResultSerializer(serializers.Serializer[Any]):
    """What a key turned out to be."""

    ok = serializers.BooleanField()
    origin = serializers.ChoiceField([origin.value for origin in Origin], allow_null=True)
    organization = OrganizationSerializer(allow_null=True)
    capabilities = CapabilitySerializer(many=True)
    reason = TextOrNullField(help_text=_REASON)
    detail = TextOrNullField()
    remedy = TextOrNullField()
    retry_after_seconds = WaitField(
        allow_null=True, help_text="When a test that failed for a while can be made again; nobody else does."
    )


class BackfillSerializer(serializers.Serializer[Any]):
    """How far the first filling is."""

    days_total = serializers.IntegerField()
    days_done = serializers.IntegerField()
    requests_left = serializers.IntegerField(
        help_text="At one page a window; more when a window has several."
    )
    eta_at = serializers.DateTimeField(allow_null=True, help_text="Null when it is done or stands still.")


class ReportSerializer(serializers.Serializer[Any]):
    """One report of a connection."""

    report = serializers.CharField(source="report_name")
    kind = serializers.CharField(help_text="cost, usage, activity or names.")
    is_refused = serializers.BooleanField(help_text="Upstream refuses it to this key; the others go on.")
    from_day = serializers.DateField(source="wanted_from", allow_null=True, help_text="The first day it has.")
    settled_through = serializers.DateField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)
    reason = TextOrNullField(help_text=_REASON)
    detail = TextOrNullField()


class ConnectionSerializer(serializers.Serializer[Any]):
    """An `Overview`; the key itself is never among its fields."""

    id = serializers.UUIDField(source="connection.pk")
    provider = serializers.ChoiceField(Provider.choices, source="connection.provider")
    origin = serializers.ChoiceField([origin.value for origin in Origin], source="connection.origin")
    label = serializers.CharField(source="connection.label")  # type: ignore[assignment]
    cost_center = TextOrNullField(source="connection.cost_center")
    organization = OrganizationSerializer()
    key_hint = serializers.CharField(source="connection.key_hint", help_text="Kind and last four characters.")
    status = serializers.ChoiceField(Status.choices, source="connection.status")
    reason = TextOrNullField(source="connection.reason", help_text=_REASON)
    detail = TextOrNullField(source="connection.detail")
    remedy = TextOrNullField(source="connection.remedy")
    data_from = serializers.DateField(source="coverage.data_from", allow_null=True)
    data_through = serializers.DateField(source="coverage.data_through", allow_null=True)
    last_synced_at = serializers.DateTimeField(source="connection.last_synced_at", allow_null=True)
    next_sync_at = serializers.DateTimeField(source="connection.next_sync_at", allow_null=True)
    backfill = BackfillSerializer(source="progress", allow_null=True)
    cost_source = serializers.CharField(
        source="connection.cost_source", help_text="The report whose amounts are the bill."
    )
    reports = ReportSerializer(
        source="connection.reports.all", many=True, help_text="What its key reads, and how far."
    )
    created_at = serializers.DateTimeField(source="connection.created_at")


@extend_schema_field(
    {"type": "string", "maxLength": _MAX_KEY_CHARACTERS, "pattern": "^sk-ant-[!-~]+$", "writeOnly": True}
)
class NewKeyField(TextField):
    """A key that is to be stored; what is wrong with another text, its test tells better than a pattern."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=_MAX_KEY_CHARACTERS,
            write_only=True,
            validators=[_NOT_BLANK],
            error_messages=_BLANK,
            **kwargs,
        )


class NewConnectionSerializer(StrictSerializer):
    """What connects an organisation."""

    provider = Choice(Provider.choices)
    api_key = NewKeyField()
    label = TextField(  # type: ignore[assignment]
        max_length=120,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="Default: the provider and the organisation's name.",
    )
    cost_center = TextField(max_length=120, required=False, allow_blank=True, allow_null=True)


class NewKeySerializer(StrictSerializer):
    """A key to rotate to."""

    api_key = NewKeyField()


class KeySerializer(StrictSerializer):
    """Any text, to be told whether it is a key."""

    api_key = TextField(
        max_length=_MAX_KEY_CHARACTERS, write_only=True, validators=[_NOT_BLANK], error_messages=_BLANK
    )


class ConnectionEditSerializer(StrictSerializer):
    """What can be changed; what is left out stays."""

    label = TextField(max_length=120, required=False)  # type: ignore[assignment]
    cost_center = TextField(max_length=120, required=False, allow_blank=True, allow_null=True)


class SyncSerializer(RangeFields):
    """Which days to fetch: none for today and the days that may still change."""

    is_range_required = False
    needs: ClassVar = {"to": "from"}


class DisconnectQuery(QuerySerializer):
    """What becomes of the stored history."""

    history = Choice(
        ["keep", "erase"],
        help_text="`keep` leaves all costs readable; `erase` deletes every row of this connection. Required.",
    )


class RunQuery(PageQuery):
    """Which runs."""

    status = serializers.ListField(
        child=Choice(SyncRun.Status.choices), required=False, help_text="Repeatable."
    )
    trigger = serializers.ListField(child=Choice(Trigger.choices), required=False, help_text="Repeatable.")


class NextAttemptField(serializers.DateTimeField):
    """When the lane of a run is tried next."""

    def get_attribute(self, instance: SyncRun) -> dt.datetime | None:
        return runs.next_attempt_at(instance)


class RunSerializer(serializers.Serializer[Any]):
    """One reason to fetch, and how far it is."""

    id = serializers.UUIDField()
    connection = serializers.UUIDField(source="connection_id")
    trigger = serializers.ChoiceField(Trigger.choices)
    status = serializers.ChoiceField(SyncRun.Status.choices)
    family = serializers.CharField(
        source="lane.family",
        help_text="Which reports it fetches: the classic ones or those of the analytics API.",
    )
    steps_total = serializers.IntegerField()
    steps_done = serializers.IntegerField()
    requests = serializers.IntegerField()
    rows_added = serializers.IntegerField()
    rows_changed = serializers.IntegerField()
    rows_removed = serializers.IntegerField()
    rows_unchanged = serializers.IntegerField()
    reason = TextOrNullField(help_text=_REASON)
    detail = TextOrNullField()
    next_attempt_at = NextAttemptField(allow_null=True)
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python, so these two are made here, behind the status.
        fields = list(super().get_fields().items())
        days = [
            ("from", DayField(source="from_day", help_text="Inclusive.")),
            ("to", DayField(source="to_day", help_text="Exclusive.")),
        ]
        return dict([*fields[:4], *days, *fields[4:]])
