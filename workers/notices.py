"""The words of the e-mails about a connection; pure."""

import datetime as dt

from django.conf import settings

from alerts.outbox import Message
from integrations.errors import Advice
from integrations.models import Connection


def _link(connection: Connection) -> str:
    return f"{settings.PUBLIC_URL}/connections/#{connection.pk}"


def first_data(connection: Connection) -> Message:
    """The newest days of a new connection can be seen."""
    return Message(
        event_key=f"first-data:{connection.pk}",
        kind="connection.first_data",
        subject=f"{connection.label}: the first cost data is here",
        body=(
            f"The newest days of {connection.organization_name} are stored and can be seen at\n"
            f"{settings.PUBLIC_URL}/\n\nOlder days are being fetched; the progress is shown at\n{_link(connection)}\n"
        ),
    )


def needs_you(connection: Connection, told: Advice, now: dt.datetime) -> Message:
    """A connection stopped for a cause that only a person can mend."""
    return Message(
        event_key=f"needs-you:{connection.pk}:{now.isoformat()}",
        kind="connection.needs_you",
        subject=f"{connection.label} needs you: {told.detail}"[:200],
        body=(
            f"Fetching the costs of {connection.organization_name} has stopped.\n\n"
            f"What happened: {told.detail}\nWhat to do: {told.remedy}\n\n"
            f"Nothing stored is lost, and the missing days are fetched once it works again.\n{_link(connection)}\n"
        ),
    )


def recovered(connection: Connection, now: dt.datetime) -> Message:
    """A connection that needed a person works again."""
    return Message(
        event_key=f"recovered:{connection.pk}:{now.isoformat()}",
        kind="connection.recovered",
        subject=f"{connection.label} works again",
        body=f"Fetching the costs of {connection.organization_name} goes on.\n{_link(connection)}\n",
    )


def late(connection: Connection) -> Message:
    """A connection has not succeeded within its expected time."""
    last = connection.last_synced_at or connection.connected_at
    since = f"{last:%d %b %Y %H:%M} UTC"
    trouble = f"What happened: {connection.detail}\n{connection.remedy}\n\n" if connection.detail else ""
    return Message(
        event_key=f"late:{connection.pk}:{since}",
        kind="connection.late",
        subject=f"{connection.label}: no successful sync since {since}",
        body=(
            f"The costs of {connection.organization_name} have not been read since {since}.\n\n{trouble}"
            f"It is tried again by itself, and the missing days are fetched then.\n{_link(connection)}\n"
        ),
    )
