"""Endpoints of costs: rows, summaries, restatements, completeness."""

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints.views import ApiView
from costs import selectors, source_precedence, sources
from costs.api import completeness, examples, rows, summaries
from costs.api.parameters import (
    CompletenessQuery,
    CostRowQuery,
    RestatementQuery,
    SummaryQuery,
    cost_query,
    scope_of,
)
from costs.api.serializers import (
    CompletenessSerializer,
    CostRowSerializer,
    RestatementSerializer,
    SummarySerializer,
)
from costs.api.summaries import Measure, Naming
from costs.comparison import range_before, read_comparability
from costs.coverage import Coverage, read_coverage
from costs.read_snapshots import read_snapshot
from costs.selectors import Summary
from costs.spans import Spans
from foundation.api.pagination import KeysetPaginator, Page, page_of, page_response
from foundation.api.parameters import range_or_default
from foundation.money import sum_usd
from workers import lifecycle
from workers.clock import database_now

_BY_DAY = KeysetPaginator(("day", "id"))
_AMOUNTS: Measure[Decimal] = Measure(
    value=lambda row: row.amount_usd,
    previous=lambda row: row.previous_usd,
    add=lambda one, other: sum_usd((one, other)),
    size=lambda amount: amount,
)
_LATEST_FIRST = KeysetPaginator(("observed_at", "id"), descending=True)


class CostsView(ApiView):
    """Cost rows."""

    queries: ClassVar = {"GET": CostRowQuery}

    @extend_schema(
        operation_id="costs_list",
        summary="List cost rows",
        parameters=[CostRowQuery],
        responses=OpenApiResponse(page_of(CostRowSerializer), "Oldest day first.", examples=[examples.COSTS]),
        tags=["costs"],
    )
    def get(self, request: Request) -> Response:
        query = self.read_query()
        wanted = cost_query(self.account.pk, query)
        dimensions = query.get("dimensions", ())
        parts = rows.parts_by_day(
            Spans(wanted, "cost", dimensions), lambda part: selectors.list_facts(part, dimensions=dimensions)
        )
        page = _BY_DAY.page_of_parts(parts, request, query)
        shown = rows.fact_rows(self.account.pk, page.rows)
        return page_response(Page(shown, page.next, page.previous), CostRowSerializer)


class SummaryView(ApiView):
    """Sums of costs."""

    queries: ClassVar = {"GET": SummaryQuery}

    @extend_schema(
        operation_id="costs_summary",
        summary="Sum costs",
        description="Exact sums by up to three dimensions and a period. Null is a group of its own. The first and "
        "last week or month hold only the days of the range.",
        parameters=[SummaryQuery],
        responses=OpenApiResponse(
            SummarySerializer, "By bucket, then by amount, largest first.", examples=[examples.SUMMARY]
        ),
        tags=["costs"],
    )
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        query = self.read_query()
        return Response(SummarySerializer(self._read(query)).data)

    @read_snapshot()
    def _read(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return the sums and what is said about them, all as of one moment."""
        wanted = cost_query(self.account.pk, query)
        scope = scope_of(wanted, today=database_now().date())
        covered = read_coverage(scope)
        before, compared = None, None
        if "compare" in query:
            before = range_before(wanted.days, query["compare"])
            compared = read_comparability(scope, before, query.get("group_by", ()))
        by_day = query["names"] == "as_of_day"
        summary = selectors.summarise(
            wanted,
            group_by=query.get("group_by", ()),
            granularity="day" if by_day else query["granularity"],
            beside=query["granularity"],
            # A sum that lacks days would show a rise that never was.
            before=before if compared and compared.is_given else None,
        )
        used = source_precedence.sources_used(selectors.source_question("cost", wanted, summary.group_by))
        return {
            "days": wanted.days,
            "granularity": query["granularity"],
            "group_by": summary.group_by,
            "currency": "USD",
            "total_usd": summary.total_usd if covered.is_stored else None,
            "previous_total_usd": summary.previous_total_usd,
            "complete_through": covered.complete_through,
            "state": covered.state,
            "missing": covered.missing,
            "previous_days": before,
            "previous_state": compared and compared.state,
            "sources": used,
            "not_reported": sources.not_reported(used, [*summary.group_by, *wanted.filters]),
            "as_of": wanted.as_of,
            "rows": self._rows(summary, query, covered) if covered.is_stored else [],
        }

    def _rows(self, summary: Summary, query: dict[str, Any], covered: Coverage) -> list[dict[str, Any]]:
        words = summaries.namer(self.account.pk, summary.group_by)
        naming = Naming(query["names"] == "as_of_day", query["granularity"])
        rows = summaries.worded(summary.rows, words, naming, _AMOUNTS)
        stored = summaries.stored_buckets(covered, naming)
        return [
            {
                "bucket": row.bucket,
                "group": row.group,
                "amount_usd": row.value if row.value or row.bucket in stored else None,
                "previous_usd": row.previous,
            }
            for row in rows
        ]


class RestatementsView(ApiView):
    """Observed changes."""

    queries: ClassVar = {"GET": RestatementQuery}

    @extend_schema(
        operation_id="restatements_list",
        summary="List restatements",
        description="Every observed change of a day that was already stored.",
        parameters=[RestatementQuery],
        responses=OpenApiResponse(
            page_of(RestatementSerializer), "Latest first.", examples=[examples.RESTATEMENTS]
        ),
        tags=["restatements"],
    )
    def get(self, request: Request) -> Response:
        query = self.read_query()
        found = rows.list_restatements(self.account.pk, query)
        return page_response(_LATEST_FIRST.page(found, request, query), RestatementSerializer)


class CompletenessView(ApiView):
    """How complete a connection is."""

    queries: ClassVar = {"GET": CompletenessQuery}

    @extend_schema(
        operation_id="connections_completeness",
        summary="Read how complete a connection is",
        parameters=[CompletenessQuery],
        responses=OpenApiResponse(
            CompletenessSerializer, "Per report and day.", examples=[examples.COMPLETENESS]
        ),
        tags=["connections"],
    )
    def get(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        query = self.read_query()
        connection = lifecycle.find(self.account, connection_id)
        if connection is None:
            raise NotFound("There is no such connection in this account.")
        today = database_now().date()
        days = range_or_default(query, completeness.known_range(connection, today))
        return Response(CompletenessSerializer(completeness.completeness(connection, days, today)).data)
