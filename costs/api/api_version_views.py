"""Endpoints of the two reports that both tell a Console bill: compared day by day, and which of them counts."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints.views import ApiView
from costs import api_versions, sources
from costs.api import completeness, examples
from costs.api.parameters import GenerationQuery
from costs.api.serializers import GenerationsSerializer
from costs.api_versions import Comparison
from foundation.api.fields import Choice
from foundation.api.parameters import range_or_default
from foundation.api.parsing import StrictSerializer
from foundation.problems import ProblemError, invalid
from integrations.models import Connection
from workers import billing, lifecycle
from workers.billing import ApiVersionsDifferError
from workers.clock import database_now


class CostSourceSerializer(StrictSerializer):
    """Which report is the bill from now on."""

    cost_source = Choice(sources.BILLS)


class CostSourceAnswer(serializers.Serializer[Any]):
    """Which report is the bill."""

    cost_source = serializers.CharField()


class _ConnectionView(ApiView):
    def find(self, connection_id: UUID) -> Connection:
        """Return the account's live connection; 404 for any other."""
        connection = lifecycle.find(self.account, connection_id)
        if connection is None:
            raise NotFound("There is no such connection in this account.")
        return connection


class GenerationsView(_ConnectionView):
    """Both reports side by side."""

    queries: ClassVar = {"GET": GenerationQuery}

    @extend_schema(
        operation_id="connections_generations",
        summary="Compare both generations of cost reports",
        description="The report that is the bill, beside the other one that tells the whole bill. They are never added.",
        parameters=[GenerationQuery],
        responses=OpenApiResponse(GenerationsSerializer, "Day by day.", examples=[examples.GENERATIONS]),
        tags=["connections"],
    )
    def get(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002 - DRF's signature
        query = self.read_query()
        connection = self.find(connection_id)
        days = range_or_default(query, completeness.known_range(connection, database_now().date()))
        other = api_versions.other_bill(connection.cost_source)
        if other is None:
            compared = Comparison(connection.cost_source, "", [])
        else:
            compared = api_versions.compare(connection.pk, connection.cost_source, other, days)
        return Response(
            GenerationsSerializer(
                {
                    "bill": compared.bill,
                    "other": compared.other or None,
                    "days_compared": compared.days_compared,
                    "days_different": len(compared.days_different),
                    "difference_usd": compared.difference_usd,
                    "days": compared.days,
                }
            ).data
        )


class CostSourceView(_ConnectionView):
    """Which report counts."""

    refusals = (ApiVersionsDifferError,)

    @extend_schema(
        operation_id="connections_cost_source",
        summary="Choose which report is the bill",
        description="Refused while both reports differ on a day that is final, or have no such day in common.",
        request=CostSourceSerializer,
        responses=OpenApiResponse(CostSourceAnswer, "The report that is the bill now."),
        examples=[examples.COST_SOURCE],
        tags=["connections"],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002 - DRF's signature
        connection = self.find(connection_id)
        body = self.read_body(CostSourceSerializer)
        billing.choose(connection, body["cost_source"], actor=self.principal.name)
        return Response(CostSourceAnswer({"cost_source": connection.cost_source}).data)

    def problem_of(self, error: Exception) -> ProblemError:
        """Word a refusal."""
        return invalid("cost_source", str(error), "generations_differ")
