"""Owns the wire: one GET, one bounded answer, and the only import of requests; knows no provider and never logs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NameResolutionError, ReadTimeoutError

from integrations.deadline import POOLS, deadline
from integrations.errors import Fate, UpstreamError, unavailable, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_OK = 200
_CHUNK_BYTES = 64 * 1024
# An error body is quoted in one sentence at most; the rest of it is never read.
_ERROR_BODY_BYTES = 64 * 1024
# What requests may decode for us. Anything else would arrive as undecoded bytes, and two layers as a bomb.
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})


@dataclass(frozen=True, slots=True)
class RawResponse:
    """An answer read to its end: header names in lower case, `body` decompressed, `content_type` without parameters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    content_type: str


class HttpTransport:
    """
    GET from one host under strict bounds; may be shared by any number of threads.

    Each thread gets a session of its own, since requests does not promise that a session can be shared
    (its cookie jar and redirect cache are plain dictionaries), and so no thread waits for another's pool.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float,
        total_deadline_seconds: float = 60,
        max_body_bytes: int = 64 * 1024 * 1024,
        user_agent: str,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("a base URL is http(s)://host, without user or password")
        self._base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._total_deadline_seconds = total_deadline_seconds
        self._max_body_bytes = max_body_bytes
        self._user_agent = user_agent
        self._sessions = threading.local()

    def get(self, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> RawResponse:
        """
        Send one request and read its whole answer, whatever its status.

        Shape:   the query is sent in the given order, percent-encoded, with empty values kept; redirects are
                 answers, not followed; the body of an error status may be shortened
        Raises:  UpstreamError (retryable): unreachable, too slow, cut short or wrongly compressed;
                 UpstreamError (fatal): a body over the limit
        """
        _refuse_bad_headers(headers)
        url = f"{self._base_url}{path}"
        if query:
            # quote, not quote_plus: a space is %20 on this API; nothing is safe, so brackets become %5B%5D.
            url = f"{url}?{urlencode(query, quote_via=quote, safe='')}"
        response: requests.Response | None = None
        try:
            with deadline(self._total_deadline_seconds):
                response = self._open(url, headers)
                return self._read(response)
        # requests' own errors are OSErrors; a few of urllib3's slip through it.
        except (OSError, HTTPError) as error:
            failure = _explain(error, response)
        finally:
            if response is not None:
                response.close()
        # Raised here, not in the handler: requests' exceptions hold the request, and with it the key, so
        # ours must not carry them along as cause or context.
        raise failure

    def _open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        return self._session().get(
            url,
            headers=dict(headers),
            stream=True,
            allow_redirects=False,
            timeout=(self._timeout_seconds, self._timeout_seconds),
        )

    def _read(self, response: requests.Response) -> RawResponse:
        return RawResponse(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=self._read_body(response),
            content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        )

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = _Session()
            session.headers.clear()
            session.headers.update(
                {"user-agent": self._user_agent, "accept": "application/json", "accept-encoding": "gzip"}
            )
            session.mount("https://", _Adapter(pool_maxsize=1))
            session.mount("http://", _Adapter(pool_maxsize=1))
            # Proxies and CA bundles may come from the environment; credentials may not: a set auth keeps
            # requests from looking into netrc.
            session.auth = _send_as_it_is
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        return session

    def _read_body(self, response: requests.Response) -> bytes:
        is_error = response.status_code != _OK
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            if is_error:
                return b""
            raise _damaged("its compression is unknown", response)
        limit = _ERROR_BODY_BYTES if is_error else self._max_body_bytes
        body = bytearray()
        for chunk in _chunks(response, forgiving=is_error):
            body += chunk
            if len(body) > limit:
                break
        if len(body) > limit and not is_error:
            cause = f"it is larger than {limit // (1024 * 1024)} MiB"
            raise _damaged(cause, response, fate=Fate.FATAL)
        return bytes(body[:limit])


def _chunks(response: requests.Response, *, forgiving: bool) -> Iterator[bytes]:
    try:
        yield from response.iter_content(_CHUNK_BYTES)
    except requests.RequestException:
        # The status of an error already says what matters; its body is only an explanation.
        if not forgiving:
            raise


def _refuse_bad_headers(headers: Mapping[str, str]) -> None:
    # requests and http.client quote a bad value in their exceptions, and one of these values is the key.
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value.strip() == value):
            raise ValueError(f"the value of header {name} is not plain printable ASCII")


def _send_as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _damaged(cause: str, response: requests.Response, *, fate: Fate = Fate.RETRYABLE) -> UpstreamError:
    request_id = response.headers.get("request-id")
    return unreadable(cause, request_id=request_id, status=response.status_code, fate=fate)


def _explain(error: Exception, response: requests.Response | None) -> UpstreamError:
    """Sort an exception of requests by what a person can make of it; its own text is not used."""
    if response is not None and isinstance(error, requests.exceptions.ChunkedEncodingError):
        return _damaged("it was cut short", response)
    if response is not None and isinstance(error, requests.exceptions.ContentDecodingError):
        return _damaged("its compressed body is broken", response)
    causes = list(_inner(error))
    for kinds, cause in _CAUSES:
        if any(isinstance(inner, kinds) for inner in causes):
            return unavailable(cause)
    return unavailable("the connection broke")


_CAUSES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((requests.exceptions.ProxyError,), "the proxy on the way failed"),
    ((requests.exceptions.SSLError,), "no trusted TLS connection could be made"),
    ((NameResolutionError,), "its name could not be resolved"),
    ((requests.exceptions.Timeout, ReadTimeoutError, TimeoutError), "it did not answer in time"),
    ((ConnectionRefusedError,), "the connection was refused"),
)


def _inner(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it was made from: requests and urllib3 pass them on as arguments, reasons and causes."""
    yield error
    wrapped = [*error.args, getattr(error, "reason", None), error.__cause__]
    for inner in wrapped:
        if isinstance(inner, BaseException):
            yield from _inner(inner)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - requests' signature
        # Even when told not to follow, requests prepares the next hop and reads the whole body for it, unbounded.
        return None


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager
