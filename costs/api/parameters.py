"""The query parameters of the cost endpoints, and the cost query they stand for."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework import serializers

from accounts.endpoints.search import PageSize
from accounts.permissions import rows_of
from costs import sources, usage
from costs.coverage import Scope
from costs.records import Origin
from costs.selectors import DIMENSIONS, MOST_GROUPS, CostQuery
from costs.sources import Kind
from costs.values import no_workspace
from foundation.api.fields import Choice, IdField
from foundation.api.pagination import PageQuery
from foundation.api.parameters import DayField, MomentField, NullableListField, RangeFields, day_range
from foundation.api.parsing import QuerySerializer, UniqueListField
from foundation.problems import invalid
from integrations.models import Connection

_MAX_SUMMARY_DAYS = 3660
_AS_OF = (
    "Figures as they were known at this moment (RFC 3339 with a zone; a day stands for its end). "
    "Left out: as they are known now."
)
_COMPARE = (
    "Adds the same groups in an earlier range. `previous`: the equally long one before. `previous_month`: the same days "
    "one month earlier, of a range that touches several months as many months earlier; whole months are compared with "
    "whole months, whatever their lengths."
)
_DIMENSIONS = (
    "Repeatable: prefer, day by day, the report that states these. Without it rows come from the report that is "
    "the bill, which on claude_platform names no key and no person."
)


class ConnectionFilter(QuerySerializer):
    """Which connections."""

    connection = serializers.ListField(
        child=IdField(), required=False, allow_empty=False, help_text="Repeatable."
    )


class FactFilters(RangeFields, ConnectionFilter):
    """Which days and which rows; every dimension can be filtered, several values of one are alternatives."""

    origin = serializers.ListField(
        child=Choice([origin.value for origin in Origin]),
        required=False,
        allow_empty=False,
        help_text="Repeatable.",
    )
    kind: Kind = "cost"
    known: Mapping[str, str] = DIMENSIONS

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in self.known:
            if name not in fields:
                fields[name] = NullableListField(help_text="Repeatable; `null` selects rows without one.")
        return fields


class CostFilters(FactFilters):
    """Which costs, and as they were known when."""

    as_of = MomentField(required=False, help_text=_AS_OF)


class UsageFilters(FactFilters):
    """Which usage."""

    kind: Kind = "usage"
    known = usage.DIMENSIONS


def _dimensions() -> serializers.ListField:
    return serializers.ListField(
        child=Choice(sorted(sources.DIMENSIONS)),
        required=False,
        allow_empty=False,
        max_length=5,
        help_text=_DIMENSIONS,
    )


class CostExportQuery(CostFilters):
    """Parameters of the files of costs."""

    dimensions = _dimensions()


class CostSearch(CostExportQuery, PageSize):
    """Body of a search for rows."""


class CostRowQuery(CostExportQuery, PageQuery):
    """Parameters of the rows."""


class UsageExportQuery(UsageFilters):
    """Parameters of the files of usage."""

    dimensions = _dimensions()


class UsageSearch(UsageExportQuery, PageSize):
    """Body of a search for usage rows."""


class UsageRowQuery(UsageExportQuery, PageQuery):
    """Parameters of the usage rows."""


class _Sums(FactFilters):
    """What all sums have."""

    max_days = _MAX_SUMMARY_DAYS

    granularity = Choice(["total", "day", "week", "month"], default="total")
    compare = Choice(["previous", "previous_month"], required=False, help_text=_COMPARE)
    names = Choice(
        ["current", "as_of_day"],
        default="current",
        help_text="Which names to show beside ids: those of now, or those each day had; a group whose name changed then has a row for each.",
    )

    def get_fields(self) -> dict[str, Any]:
        group_by = UniqueListField(
            child=Choice(list(self.known)),
            required=False,
            allow_empty=False,
            max_length=MOST_GROUPS,
            help_text="Repeatable, up to three.",
        )
        return {**super().get_fields(), "group_by": group_by}


class SummaryQuery(_Sums, CostFilters):
    """Parameters of the sums of costs."""


class UsageSummaryQuery(_Sums, UsageFilters):
    """Parameters of the sums of usage."""


class RestatementQuery(RangeFields, ConnectionFilter, PageQuery):
    """Parameters of the restatements; all optional."""

    is_range_required = False
    report = serializers.ListField(
        child=Choice(sources.BILLS), required=False,
        help_text="Repeatable: of these reports. By default of the one that is the bill.",
    )  # fmt: skip
    observed_from = DayField(required=False, help_text="Observed on this UTC day or later.")


class CompletenessQuery(RangeFields, QuerySerializer):
    """Which days; by default everything that was asked for when it was connected, through today."""

    is_range_required = False


class ResourceQuery(ConnectionFilter, PageQuery):
    """Parameters of workspaces, keys and people."""


class GenerationQuery(RangeFields, QuerySerializer):
    """Which days to compare; by default everything both reports have."""

    is_range_required = False


class ActivityQuery(RangeFields, ConnectionFilter, PageQuery):
    """Parameters of Claude Code activity."""


def cost_query(account_id: UUID, query: dict[str, Any], kind: Kind = "cost") -> CostQuery:
    """
    Return the query the checked parameters stand for.

    Raises:  ProblemError — filters that no report of the account's surfaces states together, so that nothing
             would be found without a word
    """
    _refuse_untold(account_id, query, kind)
    filters = {name: list(query[name]) for name in DIMENSIONS if name in query}
    if "connection" in filters:
        filters["connection"] = [str(value) for value in filters["connection"]]
    if None in filters.get("cost_center", ()):
        # A connection without a cost centre keeps empty text, not null.
        filters["cost_center"].append("")
    if None in filters.get("workspace_id", ()):
        # Rows without one are those of the default workspace and those of reports that state none.
        filters["workspace_id"] += [no_workspace(origin) for origin in Origin]
    return CostQuery(account_id, day_range(query), filters, query.get("as_of"))


def scope_of(query: CostQuery, *, today: dt.date, kind: Kind = "cost") -> Scope:
    """Return whose days of which connections a query is about, and which reports it needs."""
    as_of = query.as_of if kind == "cost" else None
    return Scope(query.account_id, query.days, today, query.filters, kind, as_of)


def _refuse_untold(account_id: UUID, query: dict[str, Any], kind: Kind) -> None:
    filtered = [name for name in DIMENSIONS if name in query]
    if len(sources.DIMENSIONS.intersection(filtered)) < 2:  # noqa: PLR2004 - one dimension is always told
        return
    mine = rows_of(account_id, Connection).order_by().values_list("origin", flat=True).distinct()
    origins = {Origin(each) for each in mine} & {Origin(each) for each in query.get("origin", list(Origin))}
    if origins and not sources.reported_together(origins, kind, filtered):
        raise invalid(
            filtered[-1],
            "Anthropic has no report that states all of these dimensions together: "
            f"{', '.join(filtered)}. Filter by fewer of them.",
            "not_reported_together",
        )
