"""The query parameters of the cost endpoints, and the cost query they stand for."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from config.api.pagination import PageQuery
from config.api.parameters import Choice, DayField, NullableListField, RangeFields, day_range, not_supported
from config.api.parsing import QuerySerializer
from costs.records import Origin
from costs.selectors import DIMENSIONS, MOST_GROUPS, CostQuery

_MAX_SUMMARY_DAYS = 3660
_AS_OF = "Reserved: figures as they were known at a moment. Not available yet (400 `not_supported`)."


class ConnectionFilter(QuerySerializer):
    """Which connections."""

    connection = serializers.ListField(child=serializers.UUIDField(), required=False, help_text="Repeatable.")


class CostFilters(RangeFields, ConnectionFilter):
    """Which days and which rows; every dimension can be filtered, several values of one are alternatives."""

    origin = serializers.ListField(
        child=Choice([origin.value for origin in Origin]), required=False, help_text="Repeatable."
    )
    as_of = serializers.CharField(required=False, validators=[not_supported("as_of")], help_text=_AS_OF)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in DIMENSIONS:
            if name not in fields:
                fields[name] = NullableListField(help_text="Repeatable; `null` selects rows without one.")
        return fields


class CostRowQuery(CostFilters, PageQuery):
    """Parameters of the rows."""


class SummaryQuery(CostFilters):
    """Parameters of the sums."""

    max_days = _MAX_SUMMARY_DAYS

    group_by = serializers.ListField(
        child=Choice(list(DIMENSIONS)),
        required=False,
        max_length=MOST_GROUPS,
        help_text="Repeatable, up to three.",
    )
    granularity = Choice(["total", "day", "week", "month"], default="total")
    compare = Choice(
        ["previous"], required=False, help_text="Adds the same groups in the equally long range before."
    )
    names = Choice(
        ["current", "as_of_day"],
        default="current",
        help_text="Which names of workspaces to show; `as_of_day` is not available yet (400 `not_supported`).",
    )

    def validate_group_by(self, value: list[str]) -> list[str]:
        """Refuse the same dimension twice."""
        if len(set(value)) < len(value):
            raise serializers.ValidationError("Each dimension can be given once.", "repeated")
        return value

    def validate_names(self, value: str) -> str:
        """Refuse what is still to come."""
        if value == "as_of_day":
            not_supported("names")(value)
        return value


class RestatementQuery(RangeFields, ConnectionFilter, PageQuery):
    """Parameters of the restatements; all optional."""

    is_range_required = False
    observed_from = DayField(required=False, help_text="Observed on this UTC day or later.")


class CompletenessQuery(RangeFields, QuerySerializer):
    """Which days; by default everything that was asked for when it was connected, through today."""

    is_range_required = False


class WorkspaceQuery(ConnectionFilter, PageQuery):
    """Parameters of the workspaces."""


def cost_query(account_id: UUID, query: dict[str, Any]) -> CostQuery:
    """Return the cost query the checked parameters stand for."""
    filters = {name: list(query[name]) for name in DIMENSIONS if name in query}
    if "connection" in filters:
        filters["connection"] = [str(value) for value in filters["connection"]]
    if None in filters.get("cost_center", ()):
        # A connection without a cost centre keeps empty text, not null.
        filters["cost_center"].append("")
    return CostQuery(account_id, day_range(query), filters)
