"""The page archive: store an answer exactly as it arrived, read a window's answers back in order."""

import datetime as dt
import hashlib
import zlib

from integrations.anthropic.streams import Reading
from integrations.pages import Page as FetchedPage
from workers.models import Page, SyncStep


class ArchiveError(Exception):
    """A stored page does not have the content it was stored with."""


def store(step: SyncStep, page: FetchedPage, *, requested_at: dt.datetime) -> Page:
    """Append the page to the step's current generation; the caller holds the transaction."""
    cursor = [("page", page.request.cursor)] if page.request.cursor else []
    return Page.objects.create(
        step=step,
        generation=step.generation,
        sequence=Page.objects.filter(step=step, generation=step.generation).count() + 1,
        path=page.request.path,
        query=[*page.request.query, *cursor],
        request_id=page.request_id or "",
        status_code=page.status,
        sha256=hashlib.sha256(page.body).digest(),
        body=zlib.compress(page.body, 6),
        data_refreshed_at=page.data_refreshed_at,
        requested_at=requested_at,
    )


def read_back(step: SyncStep) -> tuple[list[bytes], list[str | None]]:
    """Return bodies and request ids of the current generation in order; ArchiveError if one was damaged."""
    pages = Page.objects.filter(step=step, generation=step.generation).order_by("sequence")
    return [_body(page) for page in pages], [page.request_id or None for page in pages]


def first_requested_at(step: SyncStep) -> dt.datetime:
    """Return when the current generation's first request started."""
    first = Page.objects.filter(step=step, generation=step.generation).order_by("sequence")
    return first.values_list("requested_at", flat=True)[:1].get()


def speaks_of(step: SyncStep, reading: Reading) -> dt.datetime:
    """Return the moment the window's content is as of: where upstream's data ends, at most when we asked."""
    asked = first_requested_at(step)
    return min(asked, reading.as_of) if reading.as_of else asked


def _body(page: Page) -> bytes:
    try:
        body = zlib.decompress(bytes(page.body))
    except zlib.error as error:
        raise ArchiveError(f"page {page.pk} ({page.request_id}) cannot be unpacked") from error
    if hashlib.sha256(body).digest() != bytes(page.sha256):
        raise ArchiveError(f"page {page.pk} ({page.request_id}) differs from what was stored")
    return body
