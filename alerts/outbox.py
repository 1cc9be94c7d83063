"""Write messages in the caller's transaction and send the due ones, each row claimed by one sender.

A message is sent at least once: who dies between the mail server's yes and the commit sends it again. Both copies have
one Message-ID, which is made of the event, so that mail programs that look at it show one.
"""

import datetime as dt
import hashlib
import hmac
import smtplib
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction

from accounts import links
from accounts.models import Account, User
from alerts.models import OutboxMessage

_log = structlog.get_logger(__name__)
_BATCH = 20
_LONGEST_WAIT = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Message:
    """What to tell: `event_key` makes the same event told once; without `recipient` it is for the whole account."""

    event_key: str
    kind: str
    subject: str
    body: str
    recipient: str = ""


def enqueue(account: Account | None, message: Message, *, now: dt.datetime) -> None:
    """Write the message if this event was not written before; it leaves only if the transaction commits."""
    OutboxMessage.objects.bulk_create(
        [
            OutboxMessage(
                account=account,
                event_key=message.event_key,
                kind=message.kind,
                recipient=message.recipient,
                subject=" ".join(message.subject.split())[:200],
                body=message.body,
                due_at=now,
            )
        ],
        ignore_conflicts=True,
    )


def forget(addresses: Iterable[str]) -> None:
    """Delete what waits to be said to these addresses about their own sign-in; what an account says goes with it."""
    OutboxMessage.objects.filter(account=None, recipient__in=list(addresses)).delete()


def send_due(*, now: dt.datetime) -> int:
    """
    Send up to a batch of due messages; a failed one is tried again later, at most hourly. Return how many were sent.

    Effects: one transaction a message, so that whoever dies in the middle sends only that one twice
    """
    sent = 0
    for _ in range(_BATCH):
        was_sent = _send_next(now)
        if was_sent is None:
            break
        sent += was_sent
    return sent


def _send_next(now: dt.datetime) -> bool | None:
    """Try the message that has been due for longest; None when none is."""
    with transaction.atomic():
        message = (
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(sent_at__isnull=True, due_at__lte=now)
            .order_by("due_at")
            .first()
        )
        return _send(message, now) if message else None


def _send(message: OutboxMessage, now: dt.datetime) -> bool:
    message.attempts += 1
    try:
        to, bcc = _addresses(message)
        body = _body(message, now)
        if body is not None and (to or bcc):
            EmailMessage(
                message.subject,
                body,
                settings.DEFAULT_FROM_EMAIL,
                to=to,
                bcc=bcc,
                connection=get_connection(),
                headers={"Message-ID": _message_id(message)},
            ).send()
        message.sent_at = now
        message.last_error = ""
        if message.recipient:
            message.body = ""
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # ValueError: an address or header that no mail can have. One such message must not stop the others.
        message.last_error = f"{type(error).__name__}: {error}"[:200]
        message.due_at = now + min(dt.timedelta(minutes=1) * 2 ** min(message.attempts, 6), _LONGEST_WAIT)
        _log.warning(
            "mail_failed", message_id=message.pk, attempts=message.attempts, error=message.last_error
        )
    if message.sent_at and message.account_id is None:
        # No account with which it could be erased; and who asked about an address that nobody has is nobody's business.
        message.delete()
        return True
    message.save(update_fields=["attempts", "sent_at", "last_error", "due_at", "body"])
    return message.sent_at is not None


def _body(message: OutboxMessage, now: dt.datetime) -> str | None:
    """Return the text with the link that is made only now; None when there is nobody to give one to."""
    if links.PLACE not in message.body or message.kind not in links.KINDS:
        return message.body
    secret = links.secret_of(message.kind, message.event_key, message.recipient, now=now)
    return None if secret is None else message.body.replace(links.PLACE, secret)


def _message_id(message: OutboxMessage) -> str:
    """Name the event as a mail's id: the same for every attempt, and nothing of the event can be read from it."""
    digest = hmac.new(settings.SECRET_KEY.encode(), message.event_key.encode(), hashlib.sha256).hexdigest()
    return f"<{digest[:32]}@{urlsplit(settings.PUBLIC_URL).hostname}>"


def _addresses(message: OutboxMessage) -> tuple[list[str], list[str]]:
    """Return whom it is sent to openly and hidden."""
    if message.recipient:
        return [message.recipient], []
    people = User.objects.filter(memberships__account=message.account, is_active=True)
    # One e-mail with hidden recipients: people of an account need not see each other's addresses.
    return [], sorted(people.values_list("email", flat=True))
