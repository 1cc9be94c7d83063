"""The door: key, version and beta headers, exactly as strict as upstream; decides nothing about the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import ApiError

if TYPE_CHECKING:
    from .endpoints.routes import Route
    from .wire import Request
    from .world.world import Credential

_VERSIONS = ("2023-06-01", "2026-10-21")
_BETAS = frozenset(
    {"analytics-usage-cost-2026-08-24", "spend-limit-reads-2026-09-26", "fast-mode-2026-02-01"}
)


def check_key(request: Request, credential: Credential | None) -> Credential:
    """Return the credential; raises ApiError 401 when there is none."""
    if "x-api-key" not in request.headers:
        raise ApiError(401, "x-api-key header is required")
    if credential is None:
        raise ApiError(401, "invalid x-api-key")
    return credential


def check_headers(request: Request) -> frozenset[str]:
    """Return the beta names sent; raises ApiError 400 for a missing or unknown version or an unknown beta."""
    version = request.headers.get("anthropic-version")
    if version is None:
        raise ApiError(400, "anthropic-version: header is required")
    if version not in _VERSIONS:
        raise ApiError(400, f'anthropic-version: "{version}" is not a valid version')
    betas = frozenset(name.strip() for name in request.headers.get("anthropic-beta", "").split(",")) - {""}
    if betas - _BETAS:
        raise ApiError(
            400,
            f"Unexpected value(s) {', '.join(f'`{b}`' for b in sorted(betas - _BETAS))} for the `anthropic-beta` header",
        )
    return betas


def check_scope(credential: Credential, scopes: tuple[str, ...]) -> None:
    """Refuse a key without any of the scopes, naming what it has and what it needs, as upstream does."""
    if not set(scopes) & set(credential.scopes):
        raise missing_scopes(credential.scopes, scopes)


def check_beta(route: Route, betas: frozenset[str]) -> None:
    """Refuse a call to a beta endpoint without its header."""
    if route.beta is not None and route.beta not in betas:
        raise ApiError(400, f"This endpoint requires the `anthropic-beta: {route.beta}` header")


def missing_scopes(got: tuple[str, ...], needed: tuple[str, ...]) -> ApiError:
    """Return the 403 that lists scopes (wording seen in apache/devlake issue 8977)."""
    message = f"Missing required scopes. Got: {list(got)} Needed: {list(needed)}"
    return ApiError(403, message, error_code="api_key_scope_missing")
