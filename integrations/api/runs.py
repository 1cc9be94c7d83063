"""Endpoints of sync runs: why something was fetched, and how far it is."""

from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints.views import ApiView
from foundation.api.pagination import KeysetPaginator, page_of, page_response
from integrations.api import examples
from integrations.api.connections import ConnectionApiView
from integrations.api.serializers import RunQuery, RunSerializer
from workers.models import SyncRun

_NEWEST_FIRST = KeysetPaginator(("requested_at", "id"), descending=True)
PAGE = page_of(RunSerializer)


def _with_lane(runs: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
    # The next attempt is read from the lane and from whether the connection stands still.
    return runs.select_related("lane", "connection")


class ConnectionRunsView(ConnectionApiView):
    """The runs of one connection."""

    queries: ClassVar = {"GET": RunQuery}

    @extend_schema(
        operation_id="connections_runs",
        summary="List the runs of a connection",
        parameters=[RunQuery],
        responses=OpenApiResponse(PAGE, "Newest first.", examples=[examples.RUNS]),
        tags=["runs"],
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        connection = self.find(connection_id)
        query = self.read_query()
        chosen = {f"{name}__in": query[name] for name in ("status", "trigger") if name in query}
        rows = _with_lane(self.principal.rows(SyncRun).filter(connection=connection, **chosen))
        return page_response(_NEWEST_FIRST.page(rows, request, query), RunSerializer)


class RunView(ApiView):
    """One run."""

    @extend_schema(
        operation_id="runs_read",
        summary="Read a run",
        responses=OpenApiResponse(RunSerializer, "The run.", examples=[examples.RUN]),
        tags=["runs"],
    )
    def get(self, request: Request, run_id: UUID) -> Response:  # noqa: ARG002 - DRF's signature
        run = _with_lane(self.principal.rows(SyncRun).filter(pk=run_id)).first()
        if run is None:
            raise NotFound("There is no such run in this account.")
        return Response(RunSerializer(run).data)
