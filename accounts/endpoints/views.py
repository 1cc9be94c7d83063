"""The base of every endpoint: who asks, for which account, with what; holds no endpoint and no business rule."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, NoReturn, TypeVar

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts.endpoints.throttling import TokenThrottle
from accounts.models import Account, ApiToken, Role
from accounts.permissions import Principal, is_reading, principal_of_token
from foundation.api import caching
from foundation.api.allowance import POLICY_FIELD
from foundation.api.negotiation import JsonOnly
from foundation.api.parsing import (
    NothingQuery,
    QuerySerializer,
    StrictJSONParser,
    StrictSerializer,
    refuse_body_without_length,
)
from foundation.api.schema import ProblemSchema
from foundation.problems import ProblemError


class ApiView(APIView):
    """
    One endpoint for the holder of a token.

    `required_role` is what writing needs and `reading_role` what reading does. `queries` names the query parameters of a
    method; a method that is not in it takes none.
    """

    required_role: ClassVar[Role] = Role.ADMIN
    reading_role: ClassVar[Role] = Role.VIEWER
    # Errors of the services that `problem_of` can word.
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    queries: ClassVar[Mapping[str, type[QuerySerializer]]] = {}
    parser_classes = (StrictJSONParser,)
    content_negotiation_class = JsonOnly
    # OPTIONS would describe serializers to whoever asks; the OpenAPI document does that better.
    http_method_names = ["get", "head", "post", "patch", "delete"]
    schema = ProblemSchema()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        refuse_body_without_length(request.headers)
        if request.method in self.allowed_methods and self._query_kind is NothingQuery:
            self.read_query()

    @property
    def _query_kind(self) -> type[QuerySerializer]:
        method = "GET" if self.request.method == "HEAD" else self.request.method or ""
        return self.queries.get(method, NothingQuery)

    @cached_property
    def principal(self) -> Principal:
        """Who asks; the permission has made sure that a token was sent."""
        if not isinstance(self.request.auth, ApiToken):
            raise NotAuthenticated
        return principal_of_token(self.request.auth)

    @property
    def account(self) -> Account:
        """The one account everything of this request belongs to."""
        return self.principal.account

    def problem_of(self, error: Exception) -> ProblemError:
        """Word one of the `refusals` as a problem; a view that names refusals overrides this."""
        raise NotImplementedError from error

    def get_throttles(self) -> list[BaseThrottle]:
        # One object, so that the answer can tell what it counted.
        return [self.throttle]

    @cached_property
    def throttle(self) -> TokenThrottle:
        """What counts the requests of the token."""
        return TokenThrottle()

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        # Whatever the annotations of its base say: also files and problems, which are no Response of DRF's.
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self.throttle.allowance:
            answer.headers["RateLimit-Policy"] = POLICY_FIELD
            answer.headers["RateLimit"] = self.throttle.allowance.field
        caching.prepare(request, answer)
        return answer

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(self.problem_of(exc) if isinstance(exc, self.refusals) else exc)

    def permission_denied(
        self,
        request: Request,
        message: str | None = None,  # noqa: ARG002 - DRF's signature
        code: str | None = None,  # noqa: ARG002
    ) -> NoReturn:
        if request.authenticators and not request.successful_authenticator:
            raise NotAuthenticated
        is_look = is_reading(request.method, self)
        needed = self.reading_role if is_look else self.required_role
        if not is_look and self.principal.is_read_only and self.principal.may(needed):
            raise PermissionDenied("This token is read-only; changing something needs one that is not.")
        raise PermissionDenied(
            f"This needs the role {needed.value}; the token has {self.principal.role.value}."
        )

    def read_query(self) -> dict[str, Any]:
        """Return the checked query parameters of the method; ValidationError names each wrong one."""
        query = self._query_kind(self.request.query_params)
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)

    def read_body(self, kind: type["Body"]) -> dict[str, Any]:
        """Return the checked body; no body counts as an empty object."""
        body = kind(data=self.request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


Body = TypeVar("Body", bound=StrictSerializer)
