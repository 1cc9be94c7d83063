"""Whether the pages of a window lead anywhere: judged when each arrives, so that a query without an end costs little.

What is stored is judged as a whole in `windows`, once the last page has come. This is about those that never has.
"""

from dataclasses import replace

from django.db.models import QuerySet

from foundation.periods import DayRange
from integrations.anthropic import endpoints
from integrations.anthropic.reports.paging import (
    refreshed_between,
    refuse_other_days,
    refuse_overlap,
)
from integrations.anthropic.wire import WireError
from integrations.errors import unreadable
from integrations.pages import Page as FetchedPage
from workers import archive
from workers.models import Page, SyncStep

# A page without a row may come before others, several hardly.
_MOST_BLANK = 3
# Far beyond what anybody has: a hundred thousand names, a million groups in a month. A classic report fits a window on
# one page; at its rate so many pages take an hour and a half.
_MOST_PAGES = {"classic": 100, "analytics": 1000}


def follow(step: SyncStep, page: FetchedPage) -> None:
    """
    Count a page that has arrived and is not stored yet; refuse one after which the query cannot end well.

    Effects: counts of the step, which the caller saves
    Raises:  UpstreamError — (upstream_unreadable) it leads back to a page that was read, holds what another page holds,
             or follows too many others; (restart) the data was refreshed since the first page
    """
    # Without a cursor page one was asked for, so nothing of this attempt is stored: no need to look.
    before = Page.objects.filter(step=step, attempt=step.attempt).order_by("sequence")
    first, last = (before.first(), before.last()) if step.cursor else (None, None)
    step.pages_read = last.sequence + 1 if last else 1
    step.blank_pages = step.blank_pages + 1 if page.is_blank else 0
    try:
        if first is not None and last is not None:
            _refuse_other_refresh(first, page)
            _refuse_overlap(first, last, page)
        if page.has_more:
            refuse_other_days(page.request.path, page.body, DayRange(step.window_start, step.window_end))
            _refuse_circle(before, page)
            _refuse_too_many(step)
    except WireError as error:
        raise unreadable(str(error), request_id=page.request_id, status=page.status) from error
    except archive.ArchiveError as error:
        raise archive.damaged(error) from error


def _refuse_other_refresh(first: Page, page: FetchedPage) -> None:
    known = (first.data_refreshed_at, page.data_refreshed_at)
    if None not in known and known[0] != known[1]:
        raise refreshed_between()


def _refuse_overlap(first: Page, last: Page, page: FetchedPage) -> None:
    """Compare with the pages that a wrong cursor leads back to: the first one, and the one just read."""
    for earlier in {first.pk: first, last.pk: last}.values():
        refuse_overlap(page.request.path, page.body, archive.body_of(earlier))


def _refuse_circle(before: QuerySet[Page], page: FetchedPage) -> None:
    following = endpoints.sent_query(replace(page.request, cursor=page.next_cursor))
    if before.filter(query=[list(pair) for pair in following]).exists():
        raise WireError("it names a page as the next one that was read already")


def _refuse_too_many(step: SyncStep) -> None:
    if step.blank_pages >= _MOST_BLANK:
        raise WireError(f"{step.blank_pages} pages in a row hold nothing, and it promises more")
    if step.pages_read >= _MOST_PAGES[step.run.lane.family]:
        raise WireError(f"it promises more after {step.pages_read} pages")
