"""The value types of HTTP as the simulator sees it, and Anthropic's error body; opens no socket."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from socket import socket

JSON_TYPE = "application/json"

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names are lower case, `arrived_ns` is monotonic."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client_host: str
    arrived_ns: int

    def pairs(self) -> list[tuple[str, str]]:
        """Return the query's decoded pairs in order, empty values included."""
        return parse_qsl(self.query, keep_blank_values=True)

    def find(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        return next((value for known, value in self.pairs() if known == name), None)


@dataclass(slots=True)
class Response:
    """What is to be sent; `deliver` replaces the ordinary way of sending when a fault asks for it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    deliver: Callable[[socket, bytes], bool] | None = None

    def head(self) -> bytes:
        """Return the status line and headers, ready to be sent in one piece with the body."""
        lines = [f"HTTP/1.1 {self.status} {_reason(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"content-length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("latin-1")


class ApiError(Exception):
    """An answer that is Anthropic's error body; `details` and `headers` are optional there too."""

    def __init__(
        self, status: int, message: str, *, error_type: str | None = None, error_code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_type = error_type or _ERROR_TYPES.get(
            status, "api_error" if status >= 500 else "invalid_request_error"
        )
        self.error_code = error_code
        self.headers: dict[str, str] = {}

    def response(self, request_id: str) -> Response:
        """Return the answer with its body."""
        error: dict[str, Any] = {"type": self.error_type, "message": self.message}
        if self.error_code is not None:
            error["details"] = {"error_code": self.error_code}
        body = {"type": "error", "error": error, "request_id": request_id}
        return Response(self.status, json_bytes(body), {"content-type": JSON_TYPE, **self.headers})


def json_bytes(document: Any) -> bytes:
    """Write compact JSON with real characters instead of escapes."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown"
