"""Remembers the answers of creating requests by the client's key for a day; knows no HTTP beyond a status number.

1. `claim` inserts a row; whoever inserts it does the work.
2. `keep` writes the answer into the row, or `forget` deletes it when nothing final came out.
3. Everybody else with the same key and the same request gets the kept answer.
"""

import datetime as dt
import hmac
import json
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import salted_hmac

from accounts.models import Account, IdempotencyRecord

KEPT_FOR = dt.timedelta(hours=24)
# Longer than any request lives (gunicorn ends it): a claim this old belongs to a process that died.
_ABANDONED_AFTER = dt.timedelta(minutes=5)


class KeyReusedError(Exception):
    """The key came with another request before."""


class StillRunningError(Exception):
    """The first request with this key has no answer yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A kept answer."""

    status: int
    body: Any


def fingerprint(method: str, path: str, body: Any) -> str:
    """Return an HMAC of the request: equal for equal requests, and useless for guessing a key in the body."""
    canonical = json.dumps([method, path, body], sort_keys=True, separators=(",", ":"))
    return salted_hmac("accounts.idempotency", canonical, algorithm="sha256").hexdigest()


def claim(account: Account, key: str, request_hmac: str, *, now: dt.datetime) -> IdempotencyRecord | Answer:
    """
    Return a record to work under, or the answer the same request got within the last 24 hours.

    Raises:  KeyReusedError, StillRunningError
    Effects: one row; rows of the account that are over a day old are deleted
    """
    IdempotencyRecord.objects.filter(account=account, claimed_at__lt=now - KEPT_FOR).delete()
    record, is_new = IdempotencyRecord.objects.get_or_create(
        account=account, key=key, defaults={"request_hmac": request_hmac, "claimed_at": now}
    )
    if is_new:
        return record
    if not hmac.compare_digest(record.request_hmac, request_hmac):
        raise KeyReusedError
    if record.status is not None:
        return Answer(record.status, record.answer)
    # Of several that find an abandoned claim, the one whose update still matches takes it over.
    taken = IdempotencyRecord.objects.filter(
        pk=record.pk, status__isnull=True, claimed_at=record.claimed_at, claimed_at__lt=now - _ABANDONED_AFTER
    ).update(claimed_at=now)
    if not taken:
        raise StillRunningError
    return record


def keep(record: IdempotencyRecord, answer: Answer) -> None:
    """Write the answer down for the next one who asks."""
    record.status, record.answer = answer.status, answer.body
    record.save(update_fields=["status", "answer"])


def forget(record: IdempotencyRecord) -> None:
    """Give the key free: what happened was not final."""
    record.delete()
