"""Faults that answer instead of the endpoint: refusals, limits, server trouble and things that are not the API."""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING

from devtools.simulator.admission import missing_scopes
from devtools.simulator.clock import day_text, instant_text
from devtools.simulator.cursors import EXPIRED, MISMATCH
from devtools.simulator.wire import JSON_TYPE, ApiError, Response, json_bytes

if TYPE_CHECKING:
    from .fault import Struck

_HTML = b"<!DOCTYPE html><html><head><title>%s</title></head><body><center><h1>%s</h1></center><hr>cloudflare</body></html>"
_TOO_MANY = "This request would exceed your organization's rate limit. Please try again later."
_BOMB_MEMBER_BYTES = 16 * 2**20


def rate_limit_retry_after(struck: Struck) -> Response:
    """429 that says how long to wait: in seconds, or `as_date` of a server whose clock is `clock` seconds ahead."""
    seconds = struck.options.whole("seconds", 2)
    if not struck.options.flag("as_date"):
        return _rate_limited(struck, {"retry-after": str(seconds)})
    now = datetime.now(UTC) + timedelta(seconds=struck.options.whole("clock", 0))
    until = now + timedelta(seconds=seconds)
    return _rate_limited(
        struck,
        {"date": format_datetime(now, usegmt=True), "retry-after": format_datetime(until, usegmt=True)},
    )


def rate_limit_bare(struck: Struck) -> Response:
    """429 without any hint."""
    return _rate_limited(struck, {})


def rate_limit_reset_header(struck: Struck) -> Response:
    """429 whose only hint is a moment; real UTC unless `at` is given, since the client's clock is not simulated."""
    reset = datetime.now(UTC) + timedelta(seconds=struck.options.number("seconds", 2))
    hint = struck.options.text("at", instant_text(reset))
    return _rate_limited(
        struck, {"anthropic-ratelimit-requests-reset": hint, "anthropic-ratelimit-requests-remaining": "0"}
    )


def status(struck: Struck) -> Response:
    """Any status with Anthropic's error body; the type follows the status unless it is given."""
    code = struck.options.whole("status", 500)
    error = ApiError(
        code,
        struck.options.text("message", f"Simulated answer {code}"),
        error_type=struck.options.given.get("type"),
        error_code=struck.options.given.get("error_code"),
    )
    return error.response(struck.request_id)


def server_error(struck: Struck) -> Response:
    """500 in Anthropic's form."""
    return ApiError(500, "Internal server error").response(struck.request_id)


def overloaded(struck: Struck) -> Response:
    """529 in Anthropic's form."""
    return ApiError(529, "Overloaded").response(struck.request_id)


def gateway_html(struck: Struck) -> Response:
    """A gateway's own error page, without any JSON."""
    code = struck.options.whole("status", 502)
    return Response(code, _HTML % (b"502 Bad Gateway", b"502 Bad Gateway"), {"content-type": "text/html"})


def html_200(struck: Struck) -> Response:  # noqa: ARG001 — every reply has this signature
    """A captive portal: success that is a web page."""
    return Response(
        200, _HTML % (b"Welcome", b"Please sign in"), {"content-type": "text/html; charset=utf-8"}
    )


def not_json(struck: Struck) -> Response:  # noqa: ARG001 — every reply has this signature
    """Success that claims JSON and is plain text."""
    return Response(
        200, b"upstream connect error or disconnect/reset before headers", {"content-type": JSON_TYPE}
    )


def missing_scope(struck: Struck) -> Response:
    """403 with the scopes the key has and needs."""
    got = struck.options.text("got", "read:analytics")
    needed = struck.options.text("needed", "api:admin")
    return missing_scopes((got,), (needed,)).response(struck.request_id)


def revoked(struck: Struck) -> Response:
    """401 as for a key that was deleted."""
    return ApiError(401, "invalid x-api-key").response(struck.request_id)


def cursor_expired(struck: Struck) -> Response:
    """410: the data was refreshed under the cursor."""
    return ApiError(410, EXPIRED).response(struck.request_id)


def cursor_mismatch(struck: Struck) -> Response:
    """400: the cursor belongs to another query."""
    return ApiError(400, MISMATCH).response(struck.request_id)


def endless_pages(struck: Struck) -> Response:
    """
    A page of a report that never ends: it promises another one, with a token that was never seen.

    Options: `circle`: after so many tokens the first one comes again. `rows`: "none", "same": one empty day, always the
    first of the range; "new": one empty day more on each page
    """
    number = int((struck.request.find("page") or "endless_0").rpartition("_")[2])
    circle = struck.options.whole("circle", 0)
    following = number % circle + 1 if circle else number + 1
    rows = struck.options.text("rows", "none")
    document = {
        "data": [] if rows == "none" else [_empty_day(struck, number if rows == "new" else 0)],
        "has_more": True,
        "next_page": f"endless_{following}",
    }
    return Response(200, json_bytes(document), {"content-type": JSON_TYPE})


def _empty_day(struck: Struck, number: int) -> dict[str, object]:
    first = date.fromisoformat(str(struck.request.find("starting_at"))[:10]) + timedelta(days=number)
    return {
        "starting_at": day_text(first),
        "ending_at": day_text(first + timedelta(days=1)),
        "results": [],
    }


def gzip_bomb(struck: Struck) -> Response:
    """A small compressed body that unpacks to `megabytes` of spaces, in many gzip members."""
    members = max(1, -(-struck.options.whole("megabytes", 256) * 2**20 // _BOMB_MEMBER_BYTES))
    return Response(200, _bomb_member() * members, {"content-type": JSON_TYPE, "content-encoding": "gzip"})


@cache
def _bomb_member() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b" " * _BOMB_MEMBER_BYTES) + packer.flush()


def _rate_limited(struck: Struck, headers: dict[str, str]) -> Response:
    error = ApiError(429, _TOO_MANY)
    error.headers = headers
    return error.response(struck.request_id)
