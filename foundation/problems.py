"""RFC 9457 problem details: one shape for every error of the REST API; decides no error, only words and shapes it."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any

import redis
import structlog
from django.core.exceptions import PermissionDenied
from django.db import Error, InterfaceError, OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    UnreadablePostError,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from foundation.attended import EndedError

CONTENT_TYPE = "application/problem+json"
API_PREFIXES = ("/api/", "/healthz/")
# How long a client should leave a database or Redis that does not answer alone.
_RETRY_AFTER_SECONDS = 5
# PostgreSQL's codes: a statement that was cancelled, and writing to a server that only reads.
_CANCELLED = "57014"
_READ_ONLY = "25006"
# A client may send an id of its own in X-Request-ID; what comes back of it is no longer than one of ours.
_REQUEST_ID_CHARACTERS = 64

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one value; `pointer` is a slash and the name of the member, parameter or header."""

    pointer: str
    code: str
    detail: str


class ProblemError(exceptions.APIException):
    """
    An error of the API with a stable code.

    Shape:   `members` are further members of the document (null ones too); `is_temporary` tells that the same
             request may succeed later, so that no idempotency record keeps the answer; `wait` is when, in whole
             seconds from now, and becomes Retry-After
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        members: Mapping[str, Any] | None = None,
        is_temporary: bool = False,
        wait: int | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.errors = errors
        self.members = members or {}
        self.is_temporary = is_temporary
        self.wait = wait  # read by `response`, as DRF's Throttled has it


def invalid(name: str, detail: str, code: str = "invalid") -> ProblemError:
    """Build the 400 about one body member, query parameter or header."""
    return ProblemError(HTTPStatus.BAD_REQUEST, code, detail, errors=[FieldError(f"/{name}", code, detail)])


def document(error: exceptions.APIException, instance: str) -> dict[str, Any]:
    """Return the problem document of an error; `instance` is the path of the request."""
    found = _explain(error)
    return {
        "type": f"urn:tallystick:problem:{found.code}",
        "title": HTTPStatus(found.status_code).phrase,
        "status": found.status_code,
        "detail": str(found.detail),
        "code": found.code,
        "instance": instance,
        "errors": [asdict(item) for item in found.errors],
        **found.members,
    }


def _explain(error: exceptions.APIException) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flatten(error.detail))
        detail = " ".join(f"{item.pointer.lstrip('/') or 'body'}: {item.detail}" for item in errors)
        return ProblemError(HTTPStatus.BAD_REQUEST, "invalid", detail, errors=errors)
    return ProblemError(error.status_code, str(error.get_codes()), _words(error))


def _words(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.NotAuthenticated):
        return "Send a token of this installation as 'Authorization: Bearer <token>'."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "Send application/json, and say so in the Content-Type."
    if isinstance(error, exceptions.NotAcceptable):
        return "Answers are application/json; accept that or leave the Accept header out."
    if isinstance(error, exceptions.Throttled):
        seconds: float | None = getattr(error, "wait", None)
        wait = f" Wait {int(seconds)} s; Retry-After says so, too." if seconds else ""
        return f"Too many requests with this token within a minute.{wait}"
    return str(error.detail)


def _flatten(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """Walk DRF's nested error details; a message about the whole document has an empty pointer."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from _flatten(inner, pointer if whole else f"{pointer}/{name}")
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flatten(inner, pointer)
    else:
        yield FieldError(pointer, getattr(detail, "code", None) or "invalid", str(detail))


def response(error: exceptions.APIException, instance: str) -> JsonResponse:
    """Return the HTTP answer of an error."""
    answer = JsonResponse(document(error, instance), status=error.status_code, content_type=CONTENT_TYPE)
    # DRF puts these two on the exception, for 401 and 429; ours have the second one, too.
    if header := getattr(error, "auth_header", None):
        answer["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        answer["Retry-After"] = str(int(wait))
    answer["Cache-Control"] = "no-store"
    return answer


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """
    DRF's hook: every anticipated error becomes a problem; None for a bug, which goes on to handler500.

    A plain response and not DRF's: its renderer would be the one the client asked for, which a schema or a
    documentation page has of its own.
    """
    known = _known(error)
    if known is None:
        return None
    set_rollback()
    return response(known, context["request"].path)


def _known(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, UnreadablePostError):
        # The web process (runtime.web_worker) says so itself, unless it ends TLS and so sees no length.
        return ProblemError(
            HTTPStatus.REQUEST_TIMEOUT,
            "request_timeout",
            "The body did not arrive. Send the request again.",
            is_temporary=True,
        )
    return _temporary(error)


def _temporary(error: BaseException | None) -> ProblemError | None:
    """Return the 503 for an error of a service of our own that passes; None for anything else."""
    if isinstance(error, redis.RedisError):
        log.warning("service_unavailable", error=type(error).__name__)
        return unavailable("Redis")
    if not isinstance(error, Error):
        return None
    state = getattr(error.__cause__, "sqlstate", None)
    # A server that only reads is one that takes over from another just now.
    if not isinstance(error, OperationalError | InterfaceError) and state != _READ_ONLY:
        return None
    log.warning("service_unavailable", error=type(error.__cause__ or error).__name__)
    return (
        _too_slow() if state == _CANCELLED or isinstance(error, EndedError) else unavailable("The database")
    )


def _too_slow() -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too_slow",
        "This took too long and was ended. Ask for fewer days or fewer groups, or try again later.",
        is_temporary=True,
        wait=_RETRY_AFTER_SECONDS,
    )


def unavailable(service: str) -> ProblemError:
    """Build the 503 for a service of our own that does not answer."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "service_unavailable",
        f"{service} does not answer at the moment. Nothing is wrong with the request; try again shortly.",
        is_temporary=True,
        wait=_RETRY_AFTER_SECONDS,
    )


def read_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Wrap a view of programs so that writing to it is a 405 problem and not a page about forged forms."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request)
        refused = response(exceptions.MethodNotAllowed(request.method or ""), request.path)
        refused["Allow"] = "GET, HEAD"
        return refused

    return guarded


def is_api(request: HttpRequest) -> bool:
    """Say whether a program asks, which is answered by a problem document."""
    return request.path.startswith(API_PREFIXES)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: what Django refuses before any view, such as a wrong Host header."""
    if not is_api(request):
        return defaults.bad_request(request, exception)
    return response(exceptions.ParseError("The request cannot be read."), request.path)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    if not is_api(request):
        return defaults.permission_denied(request, exception)
    return response(exceptions.PermissionDenied(), request.path)


def forged_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: a form whose token does not match, or that comes from another address than ours."""
    came_from = request.META.get("HTTP_ORIGIN") or request.META.get("HTTP_REFERER", "")
    context = {
        "is_elsewhere": reason.startswith(("Origin checking failed", "Referer checking failed")),
        "came_from": came_from,
        "ours": f"{request.scheme}://{request.get_host()}",
    }
    return render(request, "403_csrf.html", context, status=HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    if not is_api(request):
        return defaults.page_not_found(request, exception)
    return response(exceptions.NotFound(), request.path)


def server_error(request: HttpRequest) -> HttpResponse:
    """
    handler500: a bug, whose traceback is in the log and nothing of it in the answer; or a database that is away.

    Whatever a page or its middleware raises arrives here while it is being handled, so that one place tells them apart.
    """
    if problem := _temporary(sys.exception()):
        return _unavailable(problem, request)
    if not is_api(request):
        return defaults.server_error(request)
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))[:_REQUEST_ID_CHARACTERS]
    detail = "This is a fault of Tallystick. The log has its cause, under this request id."
    problem = ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail, members={"request_id": request_id}
    )
    return response(problem, request.path)


class TemporaryMiddleware:
    """
    Answers 503 where a view raises what passes by itself; the innermost one, so that none logs it as a fault.

    What middleware raises still arrives at `server_error`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the answer; None for a fault, which goes on."""
        problem = _temporary(exception)
        return _unavailable(problem, request) if problem else None


def _unavailable(problem: ProblemError, request: HttpRequest) -> HttpResponse:
    return response(problem, request.path) if is_api(request) else _unavailable_page(problem)


def _unavailable_page(problem: ProblemError) -> HttpResponse:
    # Without the request: what surrounds every other page would ask the database.
    text = render_to_string("503.html", {"detail": problem.detail})
    answer = HttpResponse(text, status=problem.status_code)
    answer["Retry-After"] = str(problem.wait)
    answer["Cache-Control"] = "no-store"
    return answer
