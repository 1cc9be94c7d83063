"""Endpoints that take the parameters of costs and usage in a body, for questions too long for an address."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints.search import CursorQuery, SearchView
from costs.api import examples
from costs.api.parameters import CostSearch, SummaryQuery, UsageSearch, UsageSummaryQuery
from costs.api.serializers import (
    CostRowSerializer,
    SummarySerializer,
    UsageRowSerializer,
    UsageSummarySerializer,
)
from costs.api.usage_views import UsageSummaryView, UsageView
from costs.api.views import CostsView, SummaryView
from foundation.api.pagination import page_of

_LIKE = (
    "As GET with the same parameters, in a JSON object: what may be repeated in an address is a list, `null` in it is text "
    "as there. It changes nothing, so a read-only token may ask."
)
_PAGES = f"{_LIKE} Send the same body to `next`."


class CostsSearchView(SearchView, CostsView):
    """Cost rows."""

    queries: ClassVar = {"POST": CursorQuery}
    searched = CostSearch

    @extend_schema(
        operation_id="costs_search",
        summary="Search cost rows",
        description=_PAGES,
        parameters=[CursorQuery],
        request=CostSearch,
        responses=OpenApiResponse(page_of(CostRowSerializer), "Oldest day first."),
        examples=[examples.ROW_SEARCH, examples.COSTS],
        tags=["costs"],
    )
    def post(self, request: Request) -> Response:
        return self.get(request)


class SummarySearchView(SearchView, SummaryView):
    """Sums of costs."""

    queries: ClassVar = {}
    searched = SummaryQuery

    @extend_schema(
        operation_id="costs_summary_search",
        summary="Sum costs of a search",
        description=_LIKE,
        request=SummaryQuery,
        responses=OpenApiResponse(SummarySerializer, "By bucket, then by amount, largest first."),
        examples=[examples.SUM_SEARCH, examples.SUMMARY],
        tags=["costs"],
    )
    def post(self, request: Request) -> Response:
        return self.get(request)


class UsageSearchView(SearchView, UsageView):
    """Usage rows."""

    queries: ClassVar = {"POST": CursorQuery}
    searched = UsageSearch

    @extend_schema(
        operation_id="usage_search",
        summary="Search usage rows",
        description=_PAGES,
        parameters=[CursorQuery],
        request=UsageSearch,
        responses=OpenApiResponse(page_of(UsageRowSerializer), "Oldest day first."),
        examples=[examples.ROW_SEARCH, examples.USAGE],
        tags=["usage"],
    )
    def post(self, request: Request) -> Response:
        return self.get(request)


class UsageSummarySearchView(SearchView, UsageSummaryView):
    """Sums of usage."""

    queries: ClassVar = {}
    searched = UsageSummaryQuery

    @extend_schema(
        operation_id="usage_summary_search",
        summary="Sum usage of a search",
        description=_LIKE,
        request=UsageSummaryQuery,
        responses=OpenApiResponse(UsageSummarySerializer, "By bucket, then by tokens, most first."),
        examples=[examples.SUM_SEARCH, examples.USAGE_SUMMARY],
        tags=["usage"],
    )
    def post(self, request: Request) -> Response:
        return self.get(request)
