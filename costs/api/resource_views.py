"""Endpoints of what costs and usage refer to: workspaces, keys, people and models."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.endpoints.views import ApiView
from costs.api import examples, resources
from costs.api.parameters import ResourceQuery
from costs.api.serializers import ModelSerializer, ResourceSerializer, WorkspaceSerializer
from foundation.api.pagination import (
    KeysetPaginator,
    Page,
    PageQuery,
    page_of,
    page_of_sequence,
    page_response,
)

_BY_ID = KeysetPaginator(("id",))
_PAGE = page_of(ResourceSerializer)
_ORDER = "In the order they were first seen."


class _ResourcesView(ApiView):
    """One kind of resource."""

    queries: ClassVar = {"GET": ResourceQuery}
    kind: ClassVar[str]
    shown_as: ClassVar[type[Serializer[Any]]] = ResourceSerializer

    def page_of_kind(self, request: Request) -> Response:
        """Answer with one page of the kind."""
        query = self.read_query()
        found = _BY_ID.page(resources.list_resources(self.account.pk, self.kind, query), request, query)
        return page_response(
            Page(resources.named_resources(found.rows), found.next, found.previous), self.shown_as
        )


class WorkspacesView(_ResourcesView):
    """Workspaces and their names."""

    kind = "workspace"
    shown_as = WorkspaceSerializer

    @extend_schema(
        operation_id="workspaces_list",
        summary="List workspaces",
        parameters=[ResourceQuery],
        responses=OpenApiResponse(page_of(WorkspaceSerializer), _ORDER, examples=[examples.WORKSPACES]),
        tags=["names"],
    )
    def get(self, request: Request) -> Response:
        return self.page_of_kind(request)


class ApiKeysView(_ResourcesView):
    """API keys and their names; never a key itself."""

    kind = "api_key"

    @extend_schema(
        operation_id="api_keys_list",
        summary="List API keys",
        parameters=[ResourceQuery],
        responses=OpenApiResponse(_PAGE, _ORDER, examples=[examples.API_KEYS]),
        tags=["names"],
    )
    def get(self, request: Request) -> Response:
        return self.page_of_kind(request)


class PeopleView(_ResourcesView):
    """People and service accounts."""

    kind = "person"

    @extend_schema(
        operation_id="people_list",
        summary="List people and service accounts",
        parameters=[ResourceQuery],
        responses=OpenApiResponse(_PAGE, _ORDER, examples=[examples.PEOPLE]),
        tags=["names"],
    )
    def get(self, request: Request) -> Response:
        return self.page_of_kind(request)


class ModelsView(ApiView):
    """Models."""

    queries: ClassVar = {"GET": PageQuery}

    @extend_schema(
        operation_id="models_list",
        summary="List models",
        parameters=[PageQuery],
        responses=OpenApiResponse(page_of(ModelSerializer), "By id.", examples=[examples.MODELS]),
        tags=["names"],
    )
    def get(self, request: Request) -> Response:
        query = self.read_query()
        models = resources.used_models(self.account.pk)
        return page_response(
            page_of_sequence(models, lambda model: model.id or "", request, query), ModelSerializer
        )
