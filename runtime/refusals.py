"""
What the web process answers before the product is asked: that it lives, and what it refuses.

A refusal is a problem document to programs and a page to people.
"""

import html
import json
import re
from dataclasses import dataclass
from http import HTTPStatus

# How long a client should leave a full room alone, in seconds.
RETRY_AFTER_SECONDS = 2
# How much of an address is repeated; foundation.request_guards allows no longer ones.
_MOST_CHARACTERS = 200
# As runtime.rooms has it, with the method.
_LINE = re.compile(rb"(?:\r\n)?([^ \r\n]+) (?:[A-Za-z][A-Za-z0-9+.-]*://[^/?# \r\n]*)?(/[^ ?#\r\n]*)")
_PAGE = """<!doctype html>
<html lang="en-GB"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\
<title>{title} · Tallystick</title><link rel="stylesheet" href="/static/dashboard/tallystick.css"></head>
<body><main><div class="narrow panel"><h1>{title}</h1><p>{detail}</p></div></main></body></html>
"""
# As config.settings has it for every other answer.
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

# As config.health has it for who does not ask at the door: HEAD, and connections that are enciphered up to here.
ALIVE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 30\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    b'{"status": "ok", "checks": {}}'
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that needs no thread: status, stable code, heading, what to do, and when to come again."""

    status: HTTPStatus
    code: str
    title: str
    detail: str
    retry_after_seconds: int | None = None


BUSY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "busy",
    "Busy at the moment",
    f"More is being asked than can be answered at once. Try again in {RETRY_AFTER_SECONDS} seconds.",
    RETRY_AFTER_SECONDS,
)
WITH_A_BODY = (
    "Costs and usage can be asked for with a body as well: POST to …/search/ with the parameters as JSON."
)
LONG_ADDRESS = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG,
    "address_too_long",
    "The address is too long",
    f"The address is longer than any that is read here. {WITH_A_BODY}",
)
LARGE_HEADERS = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers_too_large",
    "The headers are too large",
    "The headers of the request are larger than any that are read here. Send fewer or shorter ones, such as cookies.",
)
# As foundation.problems has it.
LATE = Refusal(
    HTTPStatus.REQUEST_TIMEOUT,
    "request_timeout",
    "The request did not arrive",
    "The body did not arrive. Send the request again.",
)
UNREADABLE = Refusal(
    HTTPStatus.BAD_REQUEST,
    "parse_error",
    "This cannot be read",
    "The request is not HTTP as it is read here.",
)


def answer(refusal: Refusal, head: bytes | bytearray) -> bytes:
    """Return the whole answer to a request of which the head, or its beginning, is at hand; the connection ends with it."""
    line = _LINE.match(head)
    method, path = (line[1], line[2].decode("latin-1")) if line else (b"GET", "/")
    is_api = path.startswith(("/api/", "/healthz/"))
    body = (_problem(refusal, path) if is_api else _page(refusal)).encode()
    lines = [
        f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}",
        f"Content-Type: {'application/problem+json' if is_api else 'text/html; charset=utf-8'}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"Content-Security-Policy: {_POLICY}",
        "Connection: close",
    ]
    if refusal.retry_after_seconds:
        lines.append(f"Retry-After: {refusal.retry_after_seconds}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == b"HEAD" else body)


def _problem(refusal: Refusal, path: str) -> str:
    return json.dumps(
        {
            "type": f"urn:tallystick:problem:{refusal.code}",
            "title": refusal.status.phrase,
            "status": refusal.status.value,
            "detail": refusal.detail,
            "code": refusal.code,
            "instance": path[:_MOST_CHARACTERS],
            "errors": [],
        }
    )


def _page(refusal: Refusal) -> str:
    return _PAGE.format(title=html.escape(refusal.title), detail=html.escape(refusal.detail))
