"""What OpenAPI cannot read off the views: the token, and the problems every operation may answer."""

from functools import cache
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from config.problems import CONTENT_TYPE

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WITH_BODY = (
    HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE
)  # fmt: skip
_MEANING = {
    HTTPStatus.BAD_REQUEST: "Something about the request is wrong; `errors` names it.",
    HTTPStatus.UNAUTHORIZED: "No token, or one that is unknown, expired or revoked.",
    HTTPStatus.FORBIDDEN: "The token's role does not allow this.",
    HTTPStatus.NOT_FOUND: "There is none with this id in the token's account.",
    HTTPStatus.CONFLICT: "The connection stands still, or the first request with this key is still running.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than 64 KiB.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The Idempotency-Key came with another request before; or the amounts do not fit the "
    "format exactly.",
    HTTPStatus.UPGRADE_REQUIRED: "Files are sent with HTTP/1.1 only.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests with this token; see Retry-After.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database or Redis does not answer; see Retry-After.",
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <token>`."""

    target_class = "accounts.tokens.BearerAuthentication"
    name = "bearer"
    priority = 1

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002 - its signature
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token made on the settings page or with `manage.py issue_token`; its role is viewer, editor or "
            "admin, and a read-only one changes nothing.",
        }


class ProblemSchema(AutoSchema):
    """
    Adds the problem answers to every operation.

    A view names those that are not for all in `more_problems`: method → statuses.
    """

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for status in self._problem_statuses(operation):
            operation["responses"][str(status.value)] = self._problem_response(status).ref
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _problem_statuses(self, operation: dict[str, Any]) -> set[HTTPStatus]:
        statuses = set(_ALWAYS)
        places = {parameter["in"] for parameter in operation.get("parameters", ())}
        if "path" in places:
            statuses.add(HTTPStatus.NOT_FOUND)
        if "query" in places:
            statuses.add(HTTPStatus.BAD_REQUEST)
        if "requestBody" in operation:
            statuses.update(_WITH_BODY)
        more = getattr(self.view, "more_problems", {}).get(self.method, ())
        return statuses | {HTTPStatus(status) for status in more}

    def _problem_response(self, status: HTTPStatus) -> ResolvedComponent:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name=f"Problem{status.value}",
            type=ResolvedComponent.RESPONSE,
            object=f"Problem{status.value}",
            schema={
                "description": _MEANING[status],
                "content": {CONTENT_TYPE: {"schema": self._problem().ref}},
            },
        )
        self.registry.register_on_missing(component)
        return component

    def _problem(self) -> ResolvedComponent:
        component: ResolvedComponent = self.resolve_serializer(_problem_serializer(), "response")
        return component


@cache  # one class, or the registry sees two components of one name
def _problem_serializer() -> serializers.Serializer[Any]:
    error = inline_serializer(
        "ProblemError",
        {
            "pointer": serializers.CharField(
                help_text="`/` and the name of the member, parameter or header."
            ),
            "code": serializers.CharField(),
            "detail": serializers.CharField(),
        },
        many=True,
    )
    return inline_serializer(
        "Problem",
        {
            "type": serializers.CharField(help_text="`urn:tallystick:problem:` and the code."),
            "title": serializers.CharField(),
            "status": serializers.IntegerField(),
            "detail": serializers.CharField(help_text="What happened, for a person."),
            "code": serializers.CharField(help_text="Stable; docs/api.md lists them."),
            "instance": serializers.CharField(help_text="The path of the request."),
            "errors": error,
            "remedy": serializers.CharField(
                required=False, help_text="What to do; with the reasons of a key."
            ),
            "connection": serializers.UUIDField(
                required=False, help_text="With already_connected: the existing connection."
            ),
            "retry_after_seconds": serializers.IntegerField(
                required=False, help_text="With rate_limited: when to try again; Retry-After says the same."
            ),
        },
    )
