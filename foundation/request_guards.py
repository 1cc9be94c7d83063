"""The outermost door: whom a proxy may speak for, how large a request may be, and that it is text."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.request import split_domain_port
from django.shortcuts import render
from django.utils.http import parse_header_parameters

from foundation.problems import ProblemError, is_api, response
from runtime import refusals

# Longer than any address that our pages write: saved views keep 4,000 characters.
MAX_QUERY_BYTES = 6_144
# Of a length; Python refuses to read numbers of thousands of digits.
_MOST_DIGITS = 20
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

View = Callable[[HttpRequest], HttpResponseBase]


def proxy_middleware(get_response: View) -> View:
    """
    Believe what trusted proxies say about the client, and forget what anybody else says.

    Afterwards REMOTE_ADDR is the client, for the lock-out, the audit log and the logs alike, and no X-Forwarded-For
    is left to be read in another way. X-Forwarded-Proto stays only where a trusted proxy has sent it.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        believe(request.META, settings.TRUSTED_PROXIES)
        return get_response(request)

    return middleware


def believe(meta: dict[str, Any], trusted: Sequence[_Network]) -> None:
    """Set REMOTE_ADDR in a request's environment to the client, and remove headers that nobody trusted has sent."""
    # Without an address it came through a socket file of this machine.
    meta["REMOTE_ADDR"] = meta.get("REMOTE_ADDR") or "127.0.0.1"
    hops = [hop.strip() for hop in str(meta.pop("HTTP_X_FORWARDED_FOR", "")).split(",")]
    for name in ("HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT"):
        meta.pop(name, None)
    if not _is_within(meta["REMOTE_ADDR"], trusted):
        meta.pop("HTTP_X_FORWARDED_PROTO", None)
        return
    # Each proxy appends whom it heard from: from the right, the first who is no proxy of ours is the client.
    for hop in reversed(hops):
        if _address(hop) is None:
            return
        meta["REMOTE_ADDR"] = hop
        if not _is_within(hop, trusted):
            return


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_within(text: str, networks: Sequence[_Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def address_middleware(get_response: View) -> View:
    """
    Let health and metrics be asked by the address of a machine, whatever ALLOWED_HOSTS says.

    Prometheus and load balancers know addresses, and some of them send no Host at all. These answers hold no link and are
    the same for everybody, so a Host is nothing to them; every other page and every other host stays refused.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path == "/metrics" or request.path.startswith("/healthz/"):
            domain, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
            if not domain or _address(domain.strip("[]")):
                request.META["HTTP_HOST"] = settings.ALLOWED_HOSTS[0].replace("*", "localhost").lstrip(".")
        return get_response(request)

    return middleware


def size_middleware(get_response: View) -> View:
    """Refuse a request that is larger than any of ours, or that is no text of ours, before anything reads it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        problem = too_large(request.META) or other_charset(request.META)
        if is_api(request):
            # What no parameter may hold the API says in its own words, with a pointer.
            return get_response(request) if problem is None else response(problem, request.path)
        problem = problem or no_text(request.META)
        if problem is None:
            return get_response(request)
        context = {"detail": problem.detail}
        answer: HttpResponse = render(request, "413.html", context, status=problem.status_code)
        return answer

    return middleware


def too_large(meta: Mapping[str, Any]) -> ProblemError | None:
    """Return what is too large about a request; the query is measured as it was sent, the body by its length."""
    if len(str(meta.get("QUERY_STRING", ""))) > MAX_QUERY_BYTES:
        told = f"The query of an address may hold at most {MAX_QUERY_BYTES} bytes. {refusals.WITH_A_BODY}"
        return ProblemError(HTTPStatus.BAD_REQUEST, "query_too_large", told)
    length = str(meta.get("CONTENT_LENGTH") or "0")
    if not (length.isascii() and length.isdigit()):
        return ProblemError(HTTPStatus.BAD_REQUEST, "parse_error", "The Content-Length is no number.")
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if len(length) > _MOST_DIGITS or int(length) > most:
        told = f"The body may hold at most {most} bytes."
        return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", told)
    return None


def other_charset(meta: Mapping[str, Any]) -> ProblemError | None:
    """
    Return what is wrong with a request whose type names another charset than UTF-8.

    Django would read address and form in it: also in one that is none, such as zlib, which is a fault then.
    """
    charset = parse_header_parameters(str(meta.get("CONTENT_TYPE") or ""))[1].get("charset", "utf-8")
    if charset.lower() in {"utf-8", "utf8", "us-ascii"}:
        return None
    told = "The Content-Type names another charset; send UTF-8."
    return ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", told)


def with_readable_type(application: WSGIApplication) -> WSGIApplication:
    """
    Let a request with a Content-Type that Django cannot read reach the door, which refuses it for its charset.

    Django reads the type while it makes the request, before any middleware: what it raises there is a bare 500.
    """

    def checked(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            parse_header_parameters(str(environ.get("CONTENT_TYPE") or ""))
        except ValueError:
            environ["CONTENT_TYPE"] = "text/plain; charset=unknown"
        return application(environ, start_response)

    return checked


def no_text(meta: Mapping[str, Any]) -> ProblemError | None:
    """Return what is wrong with an address that holds a NUL byte: no column takes one, and nobody types it."""
    query = str(meta.get("QUERY_STRING", ""))
    if "\0" in str(meta.get("PATH_INFO", "")) or "\0" in query or "%00" in query:
        return ProblemError(HTTPStatus.BAD_REQUEST, "parse_error", "The address holds a NUL byte (%00).")
    return None
