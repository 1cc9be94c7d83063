"""The base of every endpoint: who asks, for which account, with what; holds no endpoint and no business rule."""

from functools import cached_property
from typing import Any, ClassVar, NoReturn, TypeVar

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Account, ApiToken, Role
from accounts.permissions import Principal, principal_of_token
from config.api.parsing import QuerySerializer, StrictJSONParser, StrictSerializer
from config.api.schema import ProblemSchema
from config.api.throttling import TokenThrottle
from config.problems import ProblemError


class ApiView(APIView):
    """
    One endpoint for the holder of a token.

    `required_role` is what writing needs; reading needs viewer.
    """

    required_role: ClassVar[Role] = Role.ADMIN
    # Errors of the services that `problem_of` can word.
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    parser_classes = (StrictJSONParser,)
    throttle_classes = (TokenThrottle,)
    # OPTIONS would describe serializers to whoever asks; the OpenAPI document does that better.
    metadata_class = None
    schema = ProblemSchema()

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
        needed = Role.VIEWER if request.method in SAFE_METHODS else self.required_role
        raise PermissionDenied(
            f"This needs the role {needed.value}; the token has {self.principal.role.value}."
        )

    def read_query(self, kind: type["Query"]) -> dict[str, Any]:
        """Return the checked query parameters; ValidationError names each wrong one."""
        query = kind(self.request.query_params)
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)

    def read_body(self, kind: type["Body"]) -> dict[str, Any]:
        """Return the checked body; no body counts as an empty object."""
        body = kind(data=self.request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


Query = TypeVar("Query", bound=QuerySerializer)
Body = TypeVar("Body", bound=StrictSerializer)
