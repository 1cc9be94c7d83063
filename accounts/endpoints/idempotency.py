"""`Idempotency-Key` on creating POSTs: the same request again gets the first answer, and creates nothing."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from accounts import idempotency
from accounts.endpoints.views import ApiView
from accounts.idempotency import Answer, KeyReusedError, StillRunningError
from accounts.models import IdempotencyRecord
from foundation import problems
from foundation.problems import ProblemError

HEADER = "Idempotency-Key"
_MAX_KEY_CHARACTERS = 255

PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "maxLength": _MAX_KEY_CHARACTERS, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    OpenApiParameter.HEADER,
    description="Any text of up to 255 visible ASCII characters. Within 24 hours the same key with the same "
    "request is answered as the first time, with `Idempotency-Replayed: true`; with another request it is 422.",
)


def once(view: ApiView, act: Callable[[], Answer]) -> Response:
    """
    Do the work of a creating request, or answer as when it was done before.

    Temporary failures are not kept: a client repeats a request exactly because of them.
    """
    key = view.request.headers.get(HEADER)
    if key is None:
        return _respond(act())
    if not key or len(key) > _MAX_KEY_CHARACTERS or not (key.isascii() and key.isprintable()):
        raise problems.invalid(HEADER, f"Use 1 to {_MAX_KEY_CHARACTERS} visible ASCII characters.")
    request = view.request
    mark = idempotency.fingerprint(request.method or "", request.path, request.data)
    try:
        found = idempotency.claim(view.account, key, mark, now=timezone.now())
    except KeyReusedError as error:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            f"This {HEADER} came with another request before. Use a new one for a new request.",
        ) from error
    except StillRunningError as error:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "idempotency_in_progress",
            f"The first request with this {HEADER} is still being worked on. Repeat this one in a moment.",
        ) from error
    if isinstance(found, Answer):
        return _respond(found, replayed=True)
    return _respond(_work(view, found, act))


def _work(view: ApiView, record: IdempotencyRecord, act: Callable[[], Answer]) -> Answer:
    final: Answer | None = None
    try:
        try:
            final = act()
        except view.refusals as error:
            problem = view.problem_of(error)
            if not problem.is_temporary:
                final = Answer(problem.status_code, problems.document(problem, view.request.path))
            raise
        return final
    finally:
        # Also when a bug passes by: it must not block the key.
        if final is None:
            idempotency.forget(record)
        else:
            idempotency.keep(record, final)


def _respond(answer: Answer, *, replayed: bool = False) -> Response:
    headers: dict[str, Any] = {"Idempotency-Replayed": "true"} if replayed else {}
    is_problem = answer.status >= HTTPStatus.BAD_REQUEST
    return Response(
        answer.body,
        status=answer.status,
        headers=headers,
        content_type=problems.CONTENT_TYPE if is_problem else None,
    )
