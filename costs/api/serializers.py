"""The documents of costs as the API writes them; no rule of the domain."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from config.api.parameters import TextOrNullField, UsdTextField
from costs.freshness import DayState
from costs.records import DIMENSIONS, Origin

# What comes after its id in a row, because a person reads them together.
_NAMES = {"workspace_id": "workspace_name", "api_key_id": "api_key_name", "actor_id": "actor_name"}
# `locked` comes with month close.
STATES = [*(state.value for state in DayState), "locked"]


class CostRowSerializer(serializers.Serializer[Any]):
    """One current cost row; null is a value: no workspace is the default workspace of the classic report."""

    day = serializers.DateField(source="fact.day")
    connection = serializers.UUIDField(source="fact.connection_id")
    origin = serializers.ChoiceField([origin.value for origin in Origin], source="fact.origin")
    cost_center = TextOrNullField(source="fact.connection.cost_center")
    amount_usd = UsdTextField(source="fact.amount_usd", help_text="Exact, in USD.")
    list_amount_usd = UsdTextField(source="fact.list_amount_usd", allow_null=True)
    state = serializers.ChoiceField(STATES, help_text="How final its day is.")
    observed_at = serializers.DateTimeField(
        source="fact.observed_at", help_text="When it was first stored so."
    )

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        first = {name: fields.pop(name) for name in ("day", "connection", "origin")}
        # Declared in the class body it would hide the `source` that every serializer has.
        first["source"] = serializers.CharField(source="fact.source", help_text="The report it came from.")
        dimensions: dict[str, Any] = {}
        for name in DIMENSIONS:
            dimensions[name] = serializers.CharField(source=f"fact.{name}", allow_null=True)
            if name in _NAMES:
                dimensions[_NAMES[name]] = serializers.CharField(allow_null=True)
        return {**first, **dimensions, **fields}


class GroupField(serializers.DictField):
    """The values grouped by, under the names of the dimensions."""

    child = serializers.CharField(allow_null=True)


class SummaryRowSerializer(serializers.Serializer[Any]):
    """One group of one period."""

    bucket = serializers.DateField(allow_null=True, help_text="First day of the period; null for the total.")
    group = GroupField(
        help_text="By dimension; `workspace_name` and `connection_label` stand beside their ids."
    )
    amount_usd = UsdTextField()
    previous_usd = UsdTextField(allow_null=True)


def _range_fields() -> dict[str, Any]:
    return {
        "from": serializers.DateField(source="days.start", help_text="Inclusive."),
        "to": serializers.DateField(source="days.end", help_text="Exclusive."),
    }


class SummarySerializer(serializers.Serializer[Any]):
    """Exact sums; the rows add up to the total."""

    granularity = serializers.ChoiceField(["total", "day", "week", "month"])
    group_by = serializers.ListField(child=serializers.CharField())
    currency = serializers.ChoiceField(["USD"])
    total_usd = UsdTextField()
    previous_total_usd = UsdTextField(allow_null=True)
    complete_through = serializers.DateField(
        allow_null=True,
        help_text="The last day up to which every live connection of the account has every day, read after its end.",
    )
    state = serializers.ChoiceField(STATES, help_text="The worst state among the days of the range.")
    previous_state = serializers.CharField(
        allow_null=True,
        help_text="With `compare`, one of the same states: the worst among the days compared with; when they are `missing`, nothing "
        "is compared and the previous amounts are null.",
    )
    rows = SummaryRowSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {**_range_fields(), **super().get_fields()}


class RestatementSerializer(serializers.Serializer[Any]):
    """One observed change of a day that was already stored."""

    connection = serializers.UUIDField(source="connection_id")
    day = serializers.DateField()
    observed_at = serializers.DateTimeField()
    before_usd = UsdTextField()
    after_usd = UsdTextField()
    rows_added = serializers.IntegerField()
    rows_changed = serializers.IntegerField()
    rows_removed = serializers.IntegerField()
    run = serializers.UUIDField(source="run_id", allow_null=True)


class NameSerializer(serializers.Serializer[Any]):
    """A name and when it was seen."""

    name = serializers.CharField()
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True, help_text="Null: it is called so now.")


class WorkspaceSerializer(serializers.Serializer[Any]):
    """A workspace; its identity is the id, names come and go."""

    id = serializers.CharField(source="resource.resource_id")
    connection = serializers.UUIDField(source="resource.connection_id")
    name = serializers.CharField(allow_null=True)
    names = NameSerializer(many=True)
    is_default = serializers.BooleanField(
        source="resource.is_default", help_text="Its costs have `workspace_id` null in the classic report."
    )
    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)
    archived = serializers.SerializerMethodField()
    archived_at = serializers.DateTimeField(source="resource.archived_at", allow_null=True)

    def get_archived(self, workspace: Any) -> bool:
        """Say whether it is archived."""
        return workspace.resource.archived_at is not None


class CompletenessSerializer(serializers.Serializer[Any]):
    """The state of each day of each report."""

    connection = serializers.UUIDField()
    safe_through = serializers.DateField(
        allow_null=True, help_text="The last day before the first that is missing or provisional."
    )
    reports = inline_serializer(
        "CompletenessReport",
        {
            "report": serializers.CharField(),
            "days": inline_serializer(
                "CompletenessDay",
                {
                    "day": serializers.DateField(),
                    "state": serializers.ChoiceField(STATES),
                    "observed_at": serializers.DateTimeField(allow_null=True),
                },
                many=True,
            ),
        },
        many=True,
    )

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        return {"connection": fields.pop("connection"), **_range_fields(), **fields}
