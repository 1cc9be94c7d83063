"""What each kind of refusal looks like, for the OpenAPI document; data only."""

from http import HTTPStatus
from typing import Any

_PATH = "/api/v1/costs/"


def _example(status: HTTPStatus, code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {
        "type": f"urn:tallystick:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "instance": _PATH,
        "errors": [],
        **more,
    }


_BACKWARDS = "`to` is exclusive and must be later than `from`."

EXAMPLES = {
    example["status"]: example
    for example in (
        _example(
            HTTPStatus.BAD_REQUEST,
            "invalid",
            f"to: {_BACKWARDS}",
            errors=[{"pointer": "/to", "code": "backwards", "detail": _BACKWARDS}],
        ),
        _example(
            HTTPStatus.UNAUTHORIZED,
            "not_authenticated",
            "Send a token of this installation as 'Authorization: Bearer <token>'.",
        ),
        _example(
            HTTPStatus.FORBIDDEN, "permission_denied", "This needs the role admin; the token has viewer."
        ),
        _example(HTTPStatus.NOT_FOUND, "not_found", "There is no such connection in this account."),
        _example(
            HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The body did not arrive. Send the request again."
        ),
        _example(
            HTTPStatus.CONFLICT,
            "idempotency_in_progress",
            "The first request with this Idempotency-Key is still being worked on. Repeat this one in a moment.",
        ),
        _example(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body may hold at most 65536 bytes."
        ),
        _example(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send application/json, and say so in the Content-Type.",
        ),
        _example(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key came with another request before. Use a new one for a new request.",
        ),
        _example(
            HTTPStatus.UPGRADE_REQUIRED,
            "http_1_1_required",
            "Ask with HTTP/1.1, and let a proxy in between do so: with HTTP/1.0 a file that broke off in the middle "
            "looks like a whole one.",
        ),
        _example(
            HTTPStatus.TOO_MANY_REQUESTS,
            "throttled",
            "Too many requests with this token within a minute. Wait 21 s; Retry-After says so, too.",
        ),
        _example(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal_error",
            "This is a fault of Tallystick. The log has its cause, under this request id.",
            request_id="6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        ),
        _example(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "service_unavailable",
            "The database does not answer at the moment. Nothing is wrong with the request; try again shortly.",
        ),
    )
}
