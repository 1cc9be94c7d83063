"""The page archive: store an answer exactly as it arrived, read a window's answers back in order."""

import datetime as dt
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from integrations.anthropic import endpoints
from integrations.anthropic.report_specs import ParsedWindow
from integrations.errors import UpstreamError, unreadable
from integrations.pages import Page as FetchedPage
from workers.models import Page, SyncStep


class ArchiveError(Exception):
    """A stored page does not have the content it was stored with."""


class _Bodies(Sequence[bytes]):
    """The bodies of pages, each unpacked when it is asked for: all together they are twenty times the archive's size."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = pages

    def __len__(self) -> int:
        return len(self._pages)

    def __getitem__(self, index: Any) -> Any:
        return body_of(self._pages[index])


@dataclass(frozen=True, slots=True)
class Archived:
    """
    The answers of one window as they were stored.

    Shape:   bodies and request ids in the order of the pages; `first_requested_at` is when the first was asked for
    Raises:  ArchiveError — a body is asked for that was damaged
    """

    bodies: Sequence[bytes]
    request_ids: list[str | None]
    first_requested_at: dt.datetime

    def speaks_of(self, reading: ParsedWindow) -> dt.datetime:
        """Return the moment the window's content is as of: where upstream's data ends, at most when we asked."""
        return min(self.first_requested_at, reading.as_of) if reading.as_of else self.first_requested_at


def store(step: SyncStep, page: FetchedPage, *, requested_at: dt.datetime) -> Page:
    """Append the page, counted by the step already, to its current attempt; the caller holds the transaction."""
    return Page.objects.create(
        step=step,
        attempt=step.attempt,
        sequence=step.pages_read,
        path=page.request.path,
        query=endpoints.sent_query(page.request),
        request_id=page.request_id or "",
        status_code=page.status,
        sha256=hashlib.sha256(page.body).digest(),
        body=zlib.compress(page.body, 6),
        data_refreshed_at=page.data_refreshed_at,
        requested_at=requested_at,
    )


def read_back(step: SyncStep) -> Archived:
    """Return the pages of the current attempt; ArchiveError if there is none."""
    pages = list(Page.objects.filter(step=step, attempt=step.attempt).order_by("sequence"))
    if not pages:
        raise ArchiveError("its pages are no longer in the archive")
    return Archived(_Bodies(pages), [page.request_id or None for page in pages], pages[0].requested_at)


def damaged(error: ArchiveError) -> UpstreamError:
    """Build the error for a window whose stored pages are of no use: it is asked for again."""
    return unreadable(f"an archived answer was damaged and is fetched again ({error})")


def body_of(page: Page) -> bytes:
    """Unpack a stored page; ArchiveError when it is not what was stored."""
    try:
        body = zlib.decompress(bytes(page.body))
    except zlib.error as error:
        raise ArchiveError(f"page {page.pk} ({page.request_id}) cannot be unpacked") from error
    if hashlib.sha256(body).digest() != bytes(page.sha256):
        raise ArchiveError(f"page {page.pk} ({page.request_id}) differs from what was stored")
    return body
