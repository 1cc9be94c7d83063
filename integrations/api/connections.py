"""Endpoints of connections: list, create, read, edit, disconnect, and what can be done to one."""

import datetime as dt
import math
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints import idempotency
from accounts.endpoints.views import ApiView
from accounts.idempotency import Answer
from accounts.models import Role
from foundation.api.pagination import KeysetPaginator, Page, PageQuery, page_of, page_response
from foundation.api.parsing import NothingSerializer
from foundation.periods import DayRange
from foundation.problems import FieldError, ProblemError, invalid, unavailable
from integrations.api import examples
from integrations.api.overview import overviews
from integrations.api.serializers import (
    ConnectionEditSerializer,
    ConnectionSerializer,
    DisconnectQuery,
    KeySerializer,
    NewConnectionSerializer,
    NewKeySerializer,
    RunSerializer,
    SyncSerializer,
    TestResultSerializer,
)
from integrations.connections import LabelTakenError, NewConnection, RefusedError
from integrations.errors import Reason
from integrations.models import Connection
from workers import lifecycle
from workers.bucket import BucketUnavailableError
from workers.clock import database_now
from workers.lifecycle import ConnectionStandsStillError, HistoryFloorError, RangeError

# What these report passes by itself, so a repeated request deserves a new answer.
_TEMPORARY = frozenset({Reason.RATE_LIMITED, Reason.UPSTREAM_UNAVAILABLE, Reason.UPSTREAM_UNREADABLE})
_NO_SUCH = "There is no such connection in this account."
_NEWEST_LAST = KeysetPaginator(("created_at", "id"))
PAGE = page_of(ConnectionSerializer)


class ConnectionApiView(ApiView):
    """What all endpoints of connections share: finding one, and wording what its services refuse."""

    refusals = (
        RefusedError, LabelTakenError, RangeError, ConnectionStandsStillError, BucketUnavailableError
    )  # fmt: skip

    def find(self, connection_id: UUID) -> Connection:
        """Return the account's live connection; 404 for any other."""
        found = lifecycle.find(self.account, connection_id)
        if found is None:
            raise NotFound(_NO_SUCH)
        return found

    def problem_of(self, error: Exception) -> ProblemError:
        if isinstance(error, RefusedError):
            return _refused(error)
        if isinstance(error, LabelTakenError):
            told = str(error)
            errors = [FieldError("/label", "label_taken", told)]
            return ProblemError(HTTPStatus.BAD_REQUEST, "label_taken", told, errors=errors)
        if isinstance(error, RangeError):
            return _out_of_range(error)
        if isinstance(error, ConnectionStandsStillError):
            if error.connection.is_disconnected:
                # Somebody was faster.
                return ProblemError(HTTPStatus.NOT_FOUND, "not_found", _NO_SUCH)
            # Temporary: once resumed or mended, the same request can succeed.
            return ProblemError(
                HTTPStatus.CONFLICT, f"connection_{error.connection.status}", str(error), is_temporary=True
            )
        return unavailable("Redis")


def _out_of_range(error: RangeError) -> ProblemError:
    if not isinstance(error, HistoryFloorError):
        return invalid("from", str(error), "out_of_range")
    code, told = "history_floor", str(error)
    return ProblemError(
        HTTPStatus.BAD_REQUEST,
        code,
        told,
        errors=[FieldError("/from", code, told)],
        members={"first_allowed_day": error.first_allowed.isoformat()},
    )


def _refused(error: RefusedError) -> ProblemError:
    told = error.advice
    members: dict[str, Any] = {"remedy": told.remedy}
    if error.connection:
        members["connection"] = str(error.connection.pk)
    wait = None
    if error.retry_after_seconds is not None:
        # Rounded up: who comes back in between would be early.
        wait = members["retry_after_seconds"] = math.ceil(error.retry_after_seconds)
    pointer = FieldError("/api_key", told.reason.value, told.detail)
    return ProblemError(
        HTTPStatus.BAD_REQUEST,
        told.reason.value,
        told.detail,
        errors=[pointer],
        members=members,
        is_temporary=told.reason in _TEMPORARY,
        wait=wait,
    )


def _document(connection: Connection) -> dict[str, Any]:
    return dict(ConnectionSerializer(overviews([connection])[0]).data)


class ConnectionsView(ConnectionApiView):
    """All connections of the account."""

    queries: ClassVar = {"GET": PageQuery}
    more_problems: ClassVar = {"POST": (409, 422)}

    @extend_schema(
        operation_id="connections_list",
        summary="List connections",
        tags=["connections"],
        parameters=[PageQuery],
        responses=OpenApiResponse(PAGE, "Oldest first.", examples=[examples.CONNECTIONS]),
    )
    def get(self, request: Request) -> Response:
        query = self.read_query()
        live = (
            self.principal.rows(Connection).filter(disconnected_at__isnull=True).prefetch_related("reports")
        )
        page = _NEWEST_LAST.page(live, request, query)
        return page_response(Page(overviews(page.rows), page.next, page.previous), ConnectionSerializer)

    @extend_schema(
        operation_id="connections_create",
        summary="Connect an organisation",
        tags=["connections"],
        description="Tests the key against Anthropic, stores it encrypted, and queues the backfill. When the key does "
        "not pass, the answer is 400 with the reason as its code, what happened and what to do; nothing is stored.",
        parameters=[idempotency.PARAMETER],
        request=NewConnectionSerializer,
        responses={201: OpenApiResponse(ConnectionSerializer, "Connected.", examples=[examples.CONNECTION])},
        examples=[examples.NEW_CONNECTION],
    )
    def post(self, request: Request) -> Response:
        body = self.read_body(NewConnectionSerializer)
        wanted = NewConnection(
            api_key=body["api_key"], label=body.get("label") or "", cost_center=body.get("cost_center") or ""
        )

        def connect() -> Answer:
            connection = lifecycle.connect(self.account, wanted, actor=self.principal.name)
            return Answer(HTTPStatus.CREATED, _document(connection))

        answer = idempotency.once(self, connect)
        if answer.status_code == HTTPStatus.CREATED:
            answer["Location"] = request.build_absolute_uri(f"{request.path}{answer.data['id']}/")
        return answer


class KeyTestView(ConnectionApiView):
    """A key that is not stored yet."""

    @extend_schema(
        operation_id="connections_test_key",
        summary="Test a key",
        tags=["connections"],
        description="Says what a key is and can see. Nothing is stored. Uses a few requests upstream.",
        request=KeySerializer,
        responses=OpenApiResponse(TestResultSerializer, "`ok` tells.", examples=examples.TEST_RESULTS),
        examples=[examples.KEY],
    )
    def post(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        body = self.read_body(KeySerializer)
        found = lifecycle.check_key(self.account, body["api_key"], actor=self.principal.name)
        return Response(TestResultSerializer(found).data)


class ConnectionView(ConnectionApiView):
    """One connection."""

    queries: ClassVar = {"DELETE": DisconnectQuery}

    @extend_schema(
        operation_id="connections_read",
        summary="Read a connection",
        tags=["connections"],
        responses=OpenApiResponse(ConnectionSerializer, "The connection.", examples=[examples.CONNECTION]),
    )
    def get(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        return Response(_document(self.find(connection_id)))

    @extend_schema(
        operation_id="connections_edit",
        summary="Change label or cost centre",
        tags=["connections"],
        request=ConnectionEditSerializer,
        responses=OpenApiResponse(ConnectionSerializer, "As changed.", examples=[examples.CONNECTION]),
        examples=[OpenApiExample("Edit", {"label": "Production"}, request_only=True)],
    )
    def patch(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        connection = self.find(connection_id)
        body = self.read_body(ConnectionEditSerializer)
        # null, like an empty text, means that there is none.
        wanted = {name: text or "" for name, text in body.items()}
        lifecycle.edit(connection, **wanted, actor=self.principal.name)
        return Response(_document(connection))

    @extend_schema(
        operation_id="connections_disconnect",
        summary="Disconnect",
        tags=["connections"],
        description="Deletes the stored key and stops. `history` says what becomes of the stored costs.",
        parameters=[DisconnectQuery],
        responses={204: OpenApiResponse(description="Disconnected.")},
    )
    def delete(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        connection = self.find(connection_id)
        query = self.read_query()
        lifecycle.disconnect(connection, erase=query["history"] == "erase", actor=self.principal.name)
        return Response(status=HTTPStatus.NO_CONTENT)


class StoredKeyTestView(ConnectionApiView):
    """The stored key of a connection."""

    required_role = Role.EDITOR

    @extend_schema(
        operation_id="connections_test",
        summary="Test a connection",
        tags=["connections"],
        description="Probes the stored key and brings the connection's state up to date.",
        request=NothingSerializer,
        responses=OpenApiResponse(TestResultSerializer, "`ok` tells.", examples=examples.TEST_RESULTS),
    )
    def post(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        connection = self.find(connection_id)
        self.read_body(NothingSerializer)
        return Response(
            TestResultSerializer(lifecycle.check_connection(connection, actor=self.principal.name)).data
        )


class SyncView(ConnectionApiView):
    """Fetching on demand."""

    required_role = Role.EDITOR
    more_problems: ClassVar = {"POST": (409, 422)}

    @extend_schema(
        operation_id="connections_sync",
        summary="Force a sync",
        tags=["connections"],
        description="Queues a run for the days, by default today and the days that may still change. A run already "
        "queued or running that covers them is returned instead, with 200. 400 `history_floor` names the first day that "
        "the plan includes and Anthropic reports. 409 when the connection is paused or needs a person first.",
        parameters=[idempotency.PARAMETER],
        request=SyncSerializer,
        responses={
            202: OpenApiResponse(RunSerializer, "A new run.", examples=[examples.RUN]),
            200: OpenApiResponse(RunSerializer, "The run that covers it already.", examples=[examples.RUN]),
        },
        examples=[OpenApiExample("Some days", {"from": "2026-11-01", "to": "2026-11-08"}, request_only=True)],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        connection = self.find(connection_id)
        days = _days_of(self.read_body(SyncSerializer))

        def sync() -> Answer:
            run, is_new = lifecycle.force_sync(connection, days, actor=self.principal.name)
            return Answer(HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK, dict(RunSerializer(run).data))

        return idempotency.once(self, sync)


def _days_of(body: dict[str, Any]) -> DayRange | None:
    """Return the days to sync; `from` alone means through today, and no day lies ahead."""
    if "from" not in body:
        return None
    tomorrow = database_now().date() + dt.timedelta(days=1)
    if body["from"] >= tomorrow:
        raise invalid("from", "This day has not begun yet (UTC).", "not_begun")
    end = min(body.get("to", tomorrow), tomorrow)
    return DayRange(body["from"], end)


class RotateKeyView(ConnectionApiView):
    """Replacing the stored key."""

    @extend_schema(
        operation_id="connections_rotate_key",
        summary="Replace the key",
        tags=["connections"],
        description="The new key must pass its test and belong to the same organisation; otherwise 400 with the "
        "reason as its code, and the old key stays.",
        request=NewKeySerializer,
        responses=OpenApiResponse(ConnectionSerializer, "With the new key.", examples=[examples.CONNECTION]),
        examples=[examples.KEY],
    )
    def post(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        connection = self.find(connection_id)
        body = self.read_body(NewKeySerializer)
        lifecycle.rotate_key(connection, body["api_key"], actor=self.principal.name)
        return Response(_document(connection))


_SWITCHED = OpenApiResponse(ConnectionSerializer, "As it stands now.", examples=[examples.CONNECTION])


class PauseView(ConnectionApiView):
    """Stop fetching."""

    @extend_schema(
        operation_id="connections_pause",
        summary="Pause",
        tags=["connections"],
        request=NothingSerializer,
        responses=_SWITCHED,
    )
    def post(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        connection = self.find(connection_id)
        self.read_body(NothingSerializer)
        lifecycle.pause(connection, actor=self.principal.name)
        return Response(_document(connection))


class ResumeView(ConnectionApiView):
    """Go on fetching."""

    @extend_schema(
        operation_id="connections_resume",
        summary="Resume",
        tags=["connections"],
        description="Goes on with what was open and fetches the days missed meanwhile.",
        request=NothingSerializer,
        responses=_SWITCHED,
    )
    def post(self, request: Request, connection_id: UUID) -> Response:  # noqa: ARG002
        connection = self.find(connection_id)
        self.read_body(NothingSerializer)
        lifecycle.resume(connection, actor=self.principal.name)
        return Response(_document(connection))
