"""Conditional reading: an answer's tag, and 304 to whoever has it already; decides nothing about what is in an answer."""

from hashlib import blake2b

from django.http import HttpRequest, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.response import Response

# Kept by the client alone, and asked about each time: figures change whenever upstream restates them.
_KEEP = "private, no-cache"
_NEVER_KEEP = "no-store"
_TAG_BYTES = 16
# What a 304 repeats (RFC 9110, 15.4.5), with what the client is told about its allowance.
_REPEATED = ("ETag", "Cache-Control", "Vary", "RateLimit", "RateLimit-Policy")


def prepare(request: HttpRequest, response: HttpResponseBase) -> None:
    """
    Let an answer be kept by its client and asked for again cheaply; what is no reading is never kept.

    The tag is of the bytes that would be sent, so that it cannot be wrong, whatever they were made from. It is weak,
    because a compressed answer has the same.
    """
    if request.method in {"GET", "HEAD"} and response.status_code == 200 and isinstance(response, Response):  # noqa: PLR2004
        response.headers["Cache-Control"] = _KEEP
        patch_vary_headers(response, ["Authorization"])
        response.add_post_render_callback(lambda rendered: _answer(request, rendered))
    elif not response.has_header("Cache-Control"):
        response.headers["Cache-Control"] = _NEVER_KEEP


def _answer(request: HttpRequest, rendered: Response) -> HttpResponseBase | None:
    tag = f'W/"{blake2b(rendered.content, digest_size=_TAG_BYTES).hexdigest()}"'
    rendered.headers["ETag"] = tag
    if not _has(request.headers.get("If-None-Match", ""), tag):
        return None
    unchanged = HttpResponseNotModified()
    for name in _REPEATED:
        if rendered.has_header(name):
            unchanged.headers[name] = rendered.headers[name]
    return unchanged


def _has(sent: str, tag: str) -> bool:
    """Say whether the client has it; weak and strong tags are compared alike (RFC 9110, 13.1.2)."""
    return any(
        known == "*" or known.removeprefix("W/") == tag.removeprefix("W/") for known in parse_etags(sent)
    )
