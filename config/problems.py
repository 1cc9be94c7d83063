"""RFC 9457 problem details: one shape for every error of the REST API; decides no error, only words and shapes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any

import redis
import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

CONTENT_TYPE = "application/problem+json"
API_PREFIXES = ("/api/", "/healthz/")
# How long a client should leave a database or Redis that does not answer alone.
_RETRY_AFTER_SECONDS = 5
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
        # The web process waited a minute for the rest of the body (runtime.web_worker).
        return ProblemError(
            HTTPStatus.REQUEST_TIMEOUT,
            "request_timeout",
            "The body did not arrive. Send the request again.",
            is_temporary=True,
        )
    if isinstance(error, OperationalError | InterfaceError | redis.RedisError):
        log.warning("service_unavailable", error=type(error).__name__)
        return unavailable("The database" if not isinstance(error, redis.RedisError) else "Redis")
    return None


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
    """handler500: a bug; its traceback is in the log, and nothing of it in the answer."""
    if not is_api(request):
        return defaults.server_error(request)
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))[:_REQUEST_ID_CHARACTERS]
    detail = "This is a fault of Tallystick. The log has its cause, under this request id."
    problem = ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail, members={"request_id": request_id}
    )
    return response(problem, request.path)
