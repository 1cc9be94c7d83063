"""Endpoints of usage: rows, sums, and Claude Code activity."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints.views import ApiView
from costs import sources, usage
from costs.api import examples, rows, summaries
from costs.api.parameters import ActivityQuery, UsageRowQuery, UsageSummaryQuery, cost_query, scope_of
from costs.api.serializers import ActivityRowSerializer, UsageRowSerializer, UsageSummarySerializer
from costs.api.summaries import Measure, Naming
from costs.comparison import range_before, read_comparability
from costs.coverage import Coverage, read_coverage
from costs.models import ActivityFact
from costs.read_snapshots import read_snapshot
from costs.spans import Spans
from costs.usage import Counts, UsageSummary
from foundation.api.pagination import KeysetPaginator, Page, page_of, page_response
from workers.clock import database_now

_BY_DAY = KeysetPaginator(("day", "id"))
_COUNTS: Measure[Counts] = Measure(
    value=lambda row: row.counts,
    previous=lambda row: row.previous,
    add=lambda one, other: usage.added((one, other)),
    size=lambda counts: counts["total_tokens"] or 0,
)


class UsageView(ApiView):
    """Usage rows."""

    queries: ClassVar = {"GET": UsageRowQuery}

    @extend_schema(
        operation_id="usage_list",
        summary="List usage rows",
        parameters=[UsageRowQuery],
        responses=OpenApiResponse(
            page_of(UsageRowSerializer), "Oldest day first.", examples=[examples.USAGE]
        ),
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        query = self.read_query()
        wanted = cost_query(self.account.pk, query, "usage")
        dimensions = query.get("dimensions", ())
        parts = rows.parts_by_day(
            Spans(wanted, "usage", dimensions), lambda part: usage.list_facts(part, dimensions=dimensions)
        )
        page = _BY_DAY.page_of_parts(parts, request, query)
        shown = rows.fact_rows(self.account.pk, page.rows)
        return page_response(Page(shown, page.next, page.previous), UsageRowSerializer)


class UsageSummaryView(ApiView):
    """Sums of usage."""

    queries: ClassVar = {"GET": UsageSummaryQuery}

    @extend_schema(
        operation_id="usage_summary",
        summary="Sum usage",
        description="Exact sums by up to three dimensions and a period. Null is a group of its own. The first and "
        "last week or month hold only the days of the range.",
        parameters=[UsageSummaryQuery],
        responses=OpenApiResponse(
            UsageSummarySerializer,
            "By bucket, then by tokens, most first.",
            examples=[examples.USAGE_SUMMARY],
        ),
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        query = self.read_query()
        return Response(UsageSummarySerializer(self._read(query)).data)

    @read_snapshot()
    def _read(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return the sums and what is said about them, all as of one moment."""
        wanted = cost_query(self.account.pk, query, "usage")
        scope = scope_of(wanted, today=database_now().date(), kind="usage")
        covered = read_coverage(scope)
        before, compared = None, None
        if "compare" in query:
            before = range_before(wanted.days, query["compare"])
            compared = read_comparability(scope, before, query.get("group_by", ()))
        summary = usage.summarise(
            wanted,
            group_by=query.get("group_by", ()),
            granularity="day" if query["names"] == "as_of_day" else query["granularity"],
            beside=query["granularity"],
            before=before if compared and compared.is_given else None,
        )
        used = usage.sources_used(wanted, summary.group_by)
        return {
            "days": wanted.days,
            "granularity": query["granularity"],
            "group_by": summary.group_by,
            "totals": _shown(summary.totals if covered.is_stored else usage.UNKNOWN),
            "previous_totals": _shown(summary.previous_totals),
            "complete_through": covered.complete_through,
            "state": covered.state,
            "missing": covered.missing,
            "previous_days": before,
            "previous_state": compared and compared.state,
            "left_out": summary.left_out,
            "unread": usage.list_unread(wanted),
            "sources": used,
            "not_reported": sources.not_reported(used, [*summary.group_by, *wanted.filters]),
            "rows": self._rows(summary, query, covered) if covered.is_stored else [],
        }

    def _rows(self, summary: UsageSummary, query: dict[str, Any], covered: Coverage) -> list[dict[str, Any]]:
        words = summaries.namer(self.account.pk, summary.group_by)
        naming = Naming(query["names"] == "as_of_day", query["granularity"])
        rows = summaries.worded(summary.rows, words, naming, _COUNTS)
        stored = summaries.stored_buckets(covered, naming)
        return [
            {
                "bucket": row.bucket,
                "group": row.group,
                "counts": _shown(
                    row.value if any(row.value.values()) or row.bucket in stored else usage.UNKNOWN
                ),
                "previous": _shown(row.previous),
            }
            for row in rows
        ]


def _shown(counts: Counts | None) -> Counts | None:
    return None if counts is None else {**counts, usage.OTHERS: usage.others_of(counts)}


class ActivityView(ApiView):
    """Claude Code activity."""

    queries: ClassVar = {"GET": ActivityQuery}

    @extend_schema(
        operation_id="activity_list",
        summary="List Claude Code activity",
        description="Per day, person or key and terminal: adoption, not cost. The estimated cost is inside the bill.",
        parameters=[ActivityQuery],
        responses=OpenApiResponse(
            page_of(ActivityRowSerializer), "Oldest day first.", examples=[examples.ACTIVITY]
        ),
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        query = self.read_query()
        facts = self.principal.rows(ActivityFact).filter(day__gte=query["from"], day__lt=query["to"])
        if "connection" in query:
            facts = facts.filter(connection__in=query["connection"])
        return page_response(_BY_DAY.page(facts, request, query), ActivityRowSerializer)
