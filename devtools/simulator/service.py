"""The way of one request: log, limit, fault, admission, endpoint, compression; opens no socket."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from .admission import check_beta, check_headers, check_key, check_scope
from .cursors import Cursors
from .endpoints.call import Answer, Call
from .endpoints.routes import Route, find_route
from .faults.fault import Struck
from .faults.registry import Faults
from .limits import Limits
from .recent import Recent
from .requestlog import Entry, RequestLog
from .wire import JSON_TYPE, ApiError, Request, Response, json_bytes
from .world.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from .clock import SimulatorClock
    from .faults.fault import Kind, Options
    from .faults.registry import Order
    from .world.world import Credential

_Deliver: TypeAlias = "Callable[[socket, bytes], bool]"

_COMPRESSED_FROM_BYTES = 1000


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A request with everything the door and the registry found out about it."""

    request: Request
    request_id: str
    credential: Credential | None
    route: tuple[Route, tuple[str, ...]] | None


class Service:
    """One simulated Anthropic: its world and everything that is done to requests on their way to it."""

    def __init__(self, seed: int, organisations: int, clock: SimulatorClock) -> None:
        self.clock = clock
        self.world = World(seed, organisations, clock)
        self.cursors = Cursors(seed)
        self.recent = Recent()
        self.faults = Faults(seed)
        self.limits = Limits()
        self.log = RequestLog(os.urandom(4).hex())

    def answer(self, request: Request) -> Response:
        """Answer one request of the API (not of the control interface)."""
        credential = self.world.find_credential(request.headers.get("x-api-key", ""))
        organisation = credential.organisation.id if credential is not None else None
        entry = self.log.open(request, organisation, datetime.now(UTC))
        admitted = _Admitted(request, entry.request_id, credential, find_route(request.path))
        wait_seconds = (
            self.limits.wait_seconds(organisation, request.arrived_ns) if organisation is not None else 0
        )
        response = self._limited(entry, wait_seconds) if wait_seconds else self._respond(admitted, entry)
        response.headers["request-id"] = entry.request_id
        if organisation is not None:
            response.headers["anthropic-organization-id"] = organisation
        _compress(request, response)
        return response

    def _limited(self, entry: Entry, wait_seconds: int) -> Response:
        error = ApiError(
            429, "This request would exceed your organization's rate limit. Please try again later."
        )
        error.headers["retry-after"] = str(wait_seconds)
        entry.status = 429
        return error.response(entry.request_id)

    def _respond(self, admitted: _Admitted, entry: Entry) -> Response:
        """Answer, with the fault that strikes this request if there is one."""
        organisation = admitted.credential.organisation.id if admitted.credential is not None else None
        is_report = admitted.route is not None and admitted.route[0].is_report
        taken = self.faults.take(admitted.request, organisation, is_report=is_report)
        if taken is None:
            response, struck = self._answer_or_error(admitted, None), False
        else:
            response, struck = self._strike(admitted, *taken)
        entry.fault = taken[0].kind if taken is not None and struck else None
        never_arrives = taken is not None and taken[1].deliver is not None and not taken[1].arrives
        entry.status = None if never_arrives else response.status
        return response

    def _strike(self, admitted: _Admitted, order: Order, kind: Kind) -> tuple[Response, bool]:
        struck = Struck(admitted.request, admitted.request_id, order.options)
        if kind.reply is not None:
            return kind.reply(struck), True
        spoil = kind.spoil
        spoilt: list[bool] = []
        touch = None if spoil is None else lambda answer: spoilt.append(spoil(answer, struck))
        response = self._answer_or_error(admitted, touch)
        if kind.deliver is not None:
            response.deliver = _bind(kind, order.options)
            return response, True
        has_struck = kind.alter(response, struck) if kind.alter is not None else any(spoilt)
        if not has_struck:
            self.faults.give_back(order)
        return response, has_struck

    def _answer_or_error(self, admitted: _Admitted, touch: Callable[[Answer], None] | None) -> Response:
        try:
            answer = self._call(admitted)
        except ApiError as error:
            return error.response(admitted.request_id)
        if touch is not None:
            touch(answer)
        return Response(200, json_bytes(answer.document), {"content-type": JSON_TYPE})

    def _call(self, admitted: _Admitted) -> Answer:
        request = admitted.request
        credential = check_key(request, admitted.credential)
        betas = check_headers(request)
        if admitted.route is None:
            raise ApiError(404, "Not found")
        route, arguments = admitted.route
        if request.method != "GET":
            raise ApiError(405, "Method Not Allowed")
        check_scope(credential, route.scopes)
        check_beta(route, betas)
        return route.answer(
            Call(request, credential.organisation, self.world, self.cursors, self.recent, arguments)
        )


def _bind(kind: Kind, options: Options) -> _Deliver:
    deliver = kind.deliver
    assert deliver is not None  # noqa: S101 — the caller asked
    return lambda connection, payload: deliver(connection, payload, options)


def _compress(request: Request, response: Response) -> None:
    if (
        len(response.body) >= _COMPRESSED_FROM_BYTES
        and "content-encoding" not in response.headers
        and "gzip" in request.headers.get("accept-encoding", "")
    ):
        # Level 1 and no time stamp: the same page has the same bytes, cheaply.
        response.body = gzip.compress(response.body, 1, mtime=0)
        response.headers["content-encoding"] = "gzip"
