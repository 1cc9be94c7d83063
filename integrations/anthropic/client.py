"""Owns asking Anthropic: one method per endpoint, each sends one request and returns one page; never pages or waits by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costs.periods import day_start
from integrations.anthropic import wire
from integrations.anthropic.failures import failure, identifier, request_id_of
from integrations.anthropic.keys import require_sendable
from integrations.errors import Fate, unreadable
from integrations.pages import Page, PageRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    from costs.periods import DayRange
    from integrations.http import HttpTransport, RawResponse

_OK = 200
ORGANIZATION_PATH = "/v1/organizations/me"
WORKSPACES_PATH = "/v1/organizations/workspaces"
COST_REPORT_PATH = "/v1/organizations/cost_report"

# The most buckets (days) one page of the cost report may hold, and rows one page of names.
COST_REPORT_MAX_DAYS = 31
NAMES_PAGE_ROWS = 1000

# All public evidence about the classic reports is of the old version; names are documented for the new one.
_CLASSIC_VERSION = "2023-06-01"
_CURRENT_VERSION = "2026-10-21"


@dataclass(frozen=True, slots=True)
class _Endpoint:
    version: str
    cursor_parameter: str
    cursor_field: str
    rows_are_buckets: bool


_ENDPOINTS: Mapping[str, _Endpoint] = {
    COST_REPORT_PATH: _Endpoint(_CLASSIC_VERSION, "page", "next_page", rows_are_buckets=True),
    WORKSPACES_PATH: _Endpoint(_CURRENT_VERSION, "after_id", "last_id", rows_are_buckets=False),
}


@dataclass(frozen=True, slots=True)
class Organization:
    """The organisation a key belongs to."""

    id: str
    name: str
    request_id: str | None = None


def cost_report_request(
    window: DayRange, cursor: str | None = None, limit: int = COST_REPORT_MAX_DAYS
) -> PageRequest:
    """
    Build the one canonical query of the cost report: daily, by workspace and description.

    Both groupings together give every field the report has. The end is always sent: upstream's own default
    ends before today, and refuses a start of today.
    """
    query = (
        ("starting_at", _midnight(window.start)),
        ("ending_at", _midnight(window.end)),
        ("bucket_width", "1d"),
        ("group_by[]", "workspace_id"),
        ("group_by[]", "description"),
        ("limit", str(limit)),
    )
    return PageRequest("cost_report", COST_REPORT_PATH, query, cursor)


def workspaces_request(cursor: str | None = None) -> PageRequest:
    """Build the query for all workspaces: archived ones still have cost, and the default one hides behind null."""
    query = (
        ("include_archived", "true"),
        ("include_default", "true"),
        ("limit", str(NAMES_PAGE_ROWS)),
    )
    return PageRequest("workspaces", WORKSPACES_PATH, query, cursor)


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
        """Ask whose key this is."""
        response = self._get(ORGANIZATION_PATH, (), _CURRENT_VERSION, None)
        request_id = request_id_of(response.headers)
        try:
            row = wire.read_organization(wire.decode(response.body))
        except wire.WireError as error:
            raise unreadable(str(error), request_id=request_id, status=_OK, fate=error.fate) from error
        return Organization(row.id, row.name, request_id)

    def workspaces(self, cursor: str | None = None) -> Page:
        """Fetch one page of workspaces."""
        return self.fetch(workspaces_request(cursor))

    def cost_report(
        self, window: DayRange, cursor: str | None = None, limit: int = COST_REPORT_MAX_DAYS
    ) -> Page:
        """Fetch one page of the classic cost report; `limit` counts days."""
        return self.fetch(cost_report_request(window, cursor, limit))

    def fetch(self, request: PageRequest) -> Page:
        """
        Fetch the page a request describes.

        Raises:  UpstreamError with the reason and fate of the error table; (fatal, upstream_unreadable) also
                 when the answer promises more pages without saying where, or names the same page again
        """
        endpoint = _ENDPOINTS[request.path]
        query = request.query
        if request.cursor is not None:
            query = (*query, (endpoint.cursor_parameter, request.cursor))
        response = self._get(request.path, query, endpoint.version, request.cursor)
        try:
            return _page(request, response, endpoint)
        except wire.WireError as error:
            request_id = request_id_of(response.headers)
            raise unreadable(str(error), request_id=request_id, status=_OK, fate=error.fate) from error

    def _get(
        self, path: str, query: tuple[tuple[str, str], ...], version: str, cursor: str | None
    ) -> RawResponse:
        require_sendable(self._api_key)
        headers = {"x-api-key": self._api_key, "anthropic-version": version}
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


def _page(request: PageRequest, response: RawResponse, endpoint: _Endpoint) -> Page:
    envelope = wire.read_envelope(wire.decode(response.body), endpoint.cursor_field)
    next_cursor = envelope.next_cursor if envelope.has_more else None
    if envelope.has_more and next_cursor is None:
        raise wire.WireError("it promises another page but does not say which")
    if next_cursor is not None and next_cursor == request.cursor:
        raise wire.WireError("it names the page just read as the next one")
    return Page(
        request=request,
        status=response.status,
        request_id=request_id_of(response.headers),
        organization_id=identifier(response.headers.get("anthropic-organization-id")),
        body=response.body,
        has_more=envelope.has_more,
        next_cursor=next_cursor,
        data_refreshed_at=envelope.data_refreshed_at,
        row_count=_count_rows(envelope, endpoint),
    )


def _count_rows(envelope: wire.Envelope, endpoint: _Endpoint) -> int:
    if not endpoint.rows_are_buckets:
        return len(envelope.rows)
    return sum(len(wire.read_cost_bucket(row).results) for row in envelope.rows)


def _midnight(day: date) -> str:
    return day_start(day).strftime("%Y-%m-%dT%H:%M:%SZ")
