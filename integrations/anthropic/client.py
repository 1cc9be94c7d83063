"""Owns asking Anthropic: each method sends one request and returns one page; never pages or waits by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrations.anthropic import endpoints, wire
from integrations.anthropic.failures import failure, identifier, request_id_of
from integrations.anthropic.keys import require_sendable
from integrations.errors import Fate, unreadable
from integrations.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from integrations.anthropic.endpoints import Endpoint
    from integrations.http import HttpTransport, RawResponse
    from integrations.pages import PageRequest

_OK = 200


@dataclass(frozen=True, slots=True)
class Organization:
    """The organisation a key belongs to."""

    id: str
    name: str
    request_id: str | None = None


class AnthropicClient:
    """
    Talks to Anthropic with one key.

    Every method sends exactly one request, so that the caller can take one token for it.
    All raise UpstreamError; `now` is only used when a rate-limit answer names a moment but not its own time.
    """

    def __init__(
        self, transport: HttpTransport, api_key: str, *, now: Callable[[], datetime] | None = None
    ) -> None:
        self._transport = transport
        self._api_key = api_key
        self._now = now

    def __repr__(self) -> str:
        return "AnthropicClient(api_key=[key])"

    def organization(self) -> Organization:
        """Ask whose key this is; only keys of Claude Console organisations may ask."""
        endpoint = endpoints.Endpoint(endpoints.CURRENT_VERSION)
        response = self._get(endpoints.ORGANIZATION, (), endpoint, None)
        request_id = request_id_of(response.headers)
        try:
            row = wire.read_organization(wire.decode(response.body))
        except wire.WireError as error:
            raise unreadable(str(error), request_id=request_id, status=_OK, fate=error.fate) from error
        return Organization(row.id, row.name, request_id)

    def fetch(self, request: PageRequest) -> Page:
        """
        Fetch the page a request describes.

        Raises:  UpstreamError with the reason and fate of the error table; (fatal, upstream_unreadable) also
                 when the answer promises more pages without saying where, or names the same page again
        """
        endpoint = endpoints.ENDPOINTS[request.path]
        response = self._get(request.path, endpoints.sent_query(request), endpoint, request.cursor)
        try:
            return _page(request, response, endpoint)
        except wire.WireError as error:
            request_id = request_id_of(response.headers)
            raise unreadable(str(error), request_id=request_id, status=_OK, fate=error.fate) from error

    def _get(
        self, path: str, query: tuple[tuple[str, str], ...], endpoint: Endpoint, cursor: str | None
    ) -> RawResponse:
        require_sendable(self._api_key)
        headers = {"x-api-key": self._api_key, "anthropic-version": endpoint.version}
        if endpoint.beta is not None:
            headers["anthropic-beta"] = endpoint.beta
        response = self._transport.get(path, query, headers)
        if response.status != _OK:
            raise failure(response, cursor=cursor, now=self._now)
        if response.content_type != "application/json":
            raise unreadable(
                f"it is {response.content_type[:60] or 'of no stated type'}, not JSON",
                request_id=request_id_of(response.headers),
                status=_OK,
                fate=Fate.RETRYABLE,
            )
        return response


def _page(request: PageRequest, response: RawResponse, endpoint: Endpoint) -> Page:
    envelope = wire.read_envelope(wire.decode(response.body), endpoint.cursor_field)
    next_cursor = envelope.next_cursor if envelope.has_more else None
    if envelope.has_more and next_cursor is None:
        raise wire.WireError("it promises another page but does not say which")
    if next_cursor is not None and next_cursor == request.cursor:
        raise wire.WireError("it names the page just read as the next one")
    organization_id = identifier(response.headers.get("anthropic-organization-id"))
    if organization_id and len(organization_id) > wire.MOST_ORGANIZATION_ID_CHARACTERS:
        raise wire.WireError("the id of the organisation is too long to be one")
    return Page(
        request=request,
        status=response.status,
        request_id=request_id_of(response.headers),
        organization_id=organization_id,
        body=response.body,
        has_more=envelope.has_more,
        next_cursor=next_cursor,
        data_refreshed_at=envelope.data_refreshed_at,
        row_count=_count_rows(envelope, endpoint),
        is_blank=not envelope.rows,
    )


def _count_rows(envelope: wire.Envelope, endpoint: Endpoint) -> int:
    if not endpoint.rows_are_buckets:
        return len(envelope.rows)
    return sum(len(wire.get_objects(row, "results")) for row in envelope.rows)
