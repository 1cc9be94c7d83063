"""Endpoints for the admins of an account: its tokens and its audit log."""

import datetime as dt
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import tokens
from accounts.api import audit_csv, examples
from accounts.api.serializers import AuditEventSerializer, AuditExportQuery, AuditQuery, TokenSerializer
from accounts.endpoints.views import ApiView
from accounts.models import ApiToken, AuditEvent, Role
from foundation import streaming
from foundation.api.pagination import KeysetPaginator, PageQuery, page_of, page_response

_NEWEST_FIRST = KeysetPaginator(("created", "public_id"), descending=True)
_CSV = "text/csv; charset=utf-8"
_LATEST_FIRST = KeysetPaginator(("id",), descending=True)


class TokensView(ApiView):
    """All tokens of the account."""

    reading_role: ClassVar[Role] = Role.ADMIN
    queries: ClassVar = {"GET": PageQuery}

    @extend_schema(
        operation_id="tokens_list",
        summary="List API tokens",
        description="Needs the role admin. Tokens are made on the settings page or by `manage.py issue_token`.",
        tags=["tokens"],
        parameters=[PageQuery],
        responses=OpenApiResponse(page_of(TokenSerializer), "Newest first.", examples=[examples.TOKENS]),
    )
    def get(self, request: Request) -> Response:
        rows = self.principal.rows(ApiToken).select_related("user")
        return page_response(_NEWEST_FIRST.page(rows, request, self.read_query()), TokenSerializer)


class TokenView(ApiView):
    """One token of the account."""

    reading_role: ClassVar[Role] = Role.ADMIN

    def _get(self, token_id: UUID) -> ApiToken:
        rows = self.principal.rows(ApiToken).select_related("user", "account")
        found = rows.filter(public_id=token_id).first()
        if found is None:
            raise NotFound("There is no such token in this account.")
        return found

    @extend_schema(
        operation_id="tokens_retrieve",
        summary="Read a token",
        tags=["tokens"],
        responses=OpenApiResponse(TokenSerializer, "The token, without its text.", examples=[examples.TOKEN]),
    )
    def get(self, _request: Request, token_id: UUID) -> Response:
        return Response(TokenSerializer(self._get(token_id)).data)

    @extend_schema(
        operation_id="tokens_destroy",
        summary="Revoke a token",
        description="Programs that use it get 401 from now on; that may be the one that asks.",
        tags=["tokens"],
        responses={204: OpenApiResponse(description="It is revoked.")},
    )
    def delete(self, _request: Request, token_id: UUID) -> Response:
        tokens.revoke(self._get(token_id), actor=self.principal.name)
        return Response(status=HTTPStatus.NO_CONTENT)


class AuditEventsView(ApiView):
    """The audit log of the account."""

    reading_role: ClassVar[Role] = Role.ADMIN
    queries: ClassVar = {"GET": AuditQuery}

    @extend_schema(
        operation_id="audit_events_list",
        summary="List audit events",
        description="Needs the role admin. Events are never changed and never removed.",
        tags=["audit"],
        parameters=[AuditQuery],
        responses=OpenApiResponse(
            page_of(AuditEventSerializer), "Latest first.", examples=[examples.AUDIT_EVENTS]
        ),
    )
    def get(self, request: Request) -> Response:
        query = self.read_query()
        rows = self.principal.rows(AuditEvent).filter(**_conditions(query))
        return page_response(_LATEST_FIRST.page(rows, request, query), AuditEventSerializer)


class _Csv(BaseRenderer):
    """For content negotiation only: the answer is written by its view."""

    media_type = "text/csv"
    format = "csv"


class AuditCsvView(ApiView):
    """The audit log of the account as one file."""

    reading_role: ClassVar[Role] = Role.ADMIN
    queries: ClassVar = {"GET": AuditExportQuery}
    renderer_classes = (_Csv,)
    more_problems: ClassVar = {"GET": (HTTPStatus.UPGRADE_REQUIRED,)}

    @extend_schema(
        operation_id="exports_audit_events_csv",
        summary="Export audit events as CSV",
        description="Needs the role admin. A line for each event, the latest first, with its sentence; in a text that a "
        "spreadsheet would run, an apostrophe stands before the sign. That it was exported is an event, too.",
        tags=["exports"],
        parameters=[AuditExportQuery],
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "The file.", examples=[examples.EVENTS_CSV])
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        rows = self.principal.rows(AuditEvent).filter(**_conditions(self.read_query())).order_by("-pk")
        export = audit_csv.export(self.principal, rows)
        return streaming.answer(request, export, filename="audit-events.csv", media_type=_CSV)


def _conditions(query: dict[str, Any]) -> dict[str, Any]:
    first, end = query.get("from"), query.get("to")
    wanted = {
        "at__gte": first and dt.datetime.combine(first, dt.time(), dt.UTC),
        "at__lt": end and dt.datetime.combine(end, dt.time(), dt.UTC),
        "action__in": query.get("action"),
        "actor": query.get("actor"),
    }
    return {name: value for name, value in wanted.items() if value}
