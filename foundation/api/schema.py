"""What OpenAPI cannot read off the views: the token, and the problems every operation may answer."""

from functools import cache
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.fields import ListField

from foundation.api.allowance import POLICY_FIELD
from foundation.api.parsing import StrictSerializer, UniqueListField
from foundation.api.problem_examples import EXAMPLES
from foundation.problems import CONTENT_TYPE

_ALWAYS = (
    HTTPStatus.BAD_REQUEST,  # a parameter that nobody knows is refused everywhere
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WITH_BODY = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_MEANING = {
    HTTPStatus.BAD_REQUEST: "Something about the request is wrong; `errors` names it.",
    HTTPStatus.UNAUTHORIZED: "No token, or one that is unknown, expired or revoked.",
    HTTPStatus.FORBIDDEN: "The token's role does not allow this.",
    HTTPStatus.NOT_FOUND: "There is none with this id in the token's account.",
    HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive within a minute.",
    HTTPStatus.CONFLICT: "The connection stands still, or the first request with this key is still running.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than 64 KiB.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The Idempotency-Key came with another request before.",
    HTTPStatus.UPGRADE_REQUIRED: "Files are sent with HTTP/1.1 only.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests with this token, or too many exports of its account at once; see "
    "Retry-After.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of Tallystick; `request_id` finds it in the log.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database or Redis does not answer, more is asked than can be answered at once, it took "
    "too long, or too many exports are running; see Retry-After.",
}
_HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {"schema": {"type": "string"}, "description": "A weak tag of the answer, for If-None-Match."},
    "RateLimit": {
        "schema": {"type": "string", "examples": ['"token";r=597;t=41']},
        "description": "`r` requests are left to this token in the next `t` seconds "
        "(draft-ietf-httpapi-ratelimit-headers-11); not there while nobody counts.",
    },
    "RateLimit-Policy": {
        "schema": {"type": "string", "examples": [POLICY_FIELD]},
        "description": "`q` requests in any minute `w` of the clock.",
    },
    "Retry-After": {
        "schema": {"type": "integer"},
        "description": "In so many seconds the request can succeed.",
    },
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
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                parameter["description"] = f"The `id` of the {parameter['name'].removesuffix('_id')}."
        for body in operation.get("requestBody", {}).get("content", {}).values():
            body.setdefault("examples", {"Nothing": {"value": {}}})
        for status in self._problem_statuses(operation):
            operation["responses"][str(status.value)] = self._problem_response(status).ref
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                answer["headers"] = self._headers("RateLimit", "RateLimit-Policy")
        if self.method == "GET" and "application/json" in operation["responses"]["200"].get("content", {}):
            operation["responses"]["200"]["headers"] |= self._headers("ETag")
            operation["responses"]["304"] = self._not_modified().ref
            parameters = [*operation.get("parameters", ()), self._if_none_match().ref]
            operation["parameters"] = parameters
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        found: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if not isinstance(serializer, StrictSerializer):
            return found
        needs = {name: [needed] for name, needed in serializer.needs.items()}
        return {**found, "additionalProperties": False, **({"dependentRequired": needs} if needs else {})}

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        found = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(field, ListField) and not field.allow_empty:
            found = {**found, "minItems": 1}
        return {**found, "uniqueItems": True} if isinstance(field, UniqueListField) else found

    def _headers(self, *names: str) -> dict[str, Any]:
        return {name: self._component(ResolvedComponent.HEADER, name, _HEADERS[name]).ref for name in names}

    def _not_modified(self) -> ResolvedComponent:
        about = {
            "description": "It is as the client has it: the tag in If-None-Match is still the answer's.",
            "headers": self._headers("ETag", "RateLimit", "RateLimit-Policy"),
        }
        return self._component(ResolvedComponent.RESPONSE, "NotModified", about)

    def _if_none_match(self) -> ResolvedComponent:
        about = {
            "in": "header",
            "name": "If-None-Match",
            "schema": {"type": "string"},
            "description": "The ETag of an earlier answer; 304 without a body while it would be the same.",
        }
        return self._component(ResolvedComponent.PARAMETER, "IfNoneMatch", about)

    def _component(self, kind: Any, name: str, about: dict[str, Any]) -> ResolvedComponent:
        component = ResolvedComponent(name=name, type=kind, object=name, schema=about)  # type: ignore[no-untyped-call]
        self.registry.register_on_missing(component)
        return component

    def _problem_statuses(self, operation: dict[str, Any]) -> set[HTTPStatus]:
        statuses = set(_ALWAYS)
        places = {parameter["in"] for parameter in operation.get("parameters", ())}
        if "path" in places:
            statuses.add(HTTPStatus.NOT_FOUND)
        if "requestBody" in operation:
            statuses.update(_WITH_BODY)
        more = getattr(self.view, "more_problems", {}).get(self.method, ())
        return statuses | {HTTPStatus(status) for status in more}

    def _problem_response(self, status: HTTPStatus) -> ResolvedComponent:
        content = {"schema": self._problem().ref, "examples": {"Problem": {"value": EXAMPLES[status]}}}
        about: dict[str, Any] = {"description": _MEANING[status], "content": {CONTENT_TYPE: content}}
        if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            about["headers"] = self._headers("Retry-After")
        return self._component(ResolvedComponent.RESPONSE, f"Problem{status.value}", about)

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
            "request_id": serializers.CharField(
                required=False, help_text="With internal_error: where the log has its cause."
            ),
            "retry_after_seconds": serializers.IntegerField(
                required=False, help_text="With rate_limited: when to try again; Retry-After says the same."
            ),
        },
    )
