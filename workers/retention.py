"""How long archived pages are kept: deletes what PAGE_ARCHIVE_DAYS no longer wants, never what is still needed."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from workers.models import Page

_BATCH = 500
# At most 100,000 pages a go: three days of what ten thousand connections fetch, and done in a minute or less.
_MOST_BATCHES = 200


def prune(now: dt.datetime) -> int:
    """
    Delete the pages of windows and runs that ended more than PAGE_ARCHIVE_DAYS before now; return how many.

    Key:     level-triggered: what one call leaves, the next one finds; several at once share the work
    Effects: pages only, one short transaction a batch; runs, steps and facts keep their rows. Pages of open
             steps stay whatever their age. 0 days keeps everything
    Checked by: tests/workers/test_retention.py
    """
    if not settings.PAGE_ARCHIVE_DAYS:
        return 0
    before = now - dt.timedelta(days=settings.PAGE_ARCHIVE_DAYS)
    deleted, last = 0, 0
    for _ in range(_MOST_BATCHES):
        # Along the primary key, which follows the time of storing: what is old stands in front, so that neither
        # an index of its own is needed nor a look at the many pages that are still wanted.
        batch = list(
            Page.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "requested_at")[:_BATCH]
        )
        # No window ends before its pages were asked for, so nothing behind these can be due.
        if not any(requested_at < before for _, requested_at in batch):
            break
        last = batch[-1][0]
        deleted += _delete_ended([pk for pk, _ in batch], before)
    return deleted


def _delete_ended(candidates: list[int], before: dt.datetime) -> int:
    ended = Q(step__finished_at__lt=before) | Q(step__run__finished_at__lt=before)
    with transaction.atomic():
        # Another pruner has what is locked; waiting for it would only do its work again.
        pages = (
            Page.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(ended, pk__in=candidates)
            .order_by("pk")
            .only("pk")
        )
        deleted, _ = Page.objects.filter(pk__in=[page.pk for page in pages]).delete()
    return deleted
