"""Notice connections that have not succeeded within their expected time, and tell people once a lapse."""

import datetime as dt

import structlog
from django.db import transaction
from django.db.models.functions import Coalesce

from alerts.outbox import enqueue
from integrations.models import Connection, Status
from workers import notices

_log = structlog.get_logger(__name__)

# A daily sync, its jitter, and half a day for an upstream in trouble: later than this is worth a message.
EXPECTED_WITHIN = dt.timedelta(hours=36)


def late(now: dt.datetime) -> list[Connection]:
    """Return live connections without a success for too long, though nobody paused them or was told already."""
    return list(
        Connection.objects.select_related("account")
        .filter(disconnected_at__isnull=True)
        .exclude(status__in=[Status.PAUSED, Status.ERROR])
        .annotate(fresh_at=Coalesce("last_synced_at", "connected_at"))
        .filter(fresh_at__lt=now - EXPECTED_WITHIN)
        .order_by("fresh_at")
    )


def tell_about_late(now: dt.datetime) -> int:
    """
    Write one message for each lapse; return how many connections are late.

    Key:     the last success names the lapse, so asking every minute tells once
    """
    found = late(now)
    with transaction.atomic():
        for connection in found:
            enqueue(connection.account, notices.late(connection), now=now)
            _log.warning(
                "connection_late", connection_id=str(connection.pk), last_synced_at=connection.last_synced_at
            )
    return len(found)
