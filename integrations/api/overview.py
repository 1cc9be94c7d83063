"""A connection with what is asked about it on every list: stored days and backfill progress; read only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F

from costs.coverage import NOTHING_STORED, Span, spans
from integrations.models import Connection, Report
from workers import runs
from workers.clock import database_now
from workers.models import SyncRun, SyncStep, Trigger
from workers.runs import Progress


@dataclass(frozen=True, slots=True)
class Organization:
    """Whose spend it is."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Overview:
    """One connection as the API shows it."""

    connection: Connection
    coverage: Span
    progress: Progress | None

    @property
    def organization(self) -> Organization:
        """The organisation pinned when it was first connected."""
        return Organization(self.connection.organization_id, self.connection.organization_name)


def overviews(connections: Sequence[Connection]) -> list[Overview]:
    """
    Return the overviews of many connections, in their order.

    Effects: six queries, and about six more for each connection that is being filled right now, since the end
             of that is estimated from the state of its bucket
    """
    ids = [connection.pk for connection in connections]
    stored = spans(ids)
    progresses = _progresses(connections)
    return [
        Overview(connection, stored.get(connection.pk, NOTHING_STORED), progresses.get(connection.pk))
        for connection in connections
    ]


def _progresses(connections: Sequence[Connection]) -> dict[UUID, Progress]:
    latest = {
        run.connection_id: run
        for run in SyncRun.objects.filter(
            runs.OF_THE_BILL, connection__in=connections, trigger=Trigger.CONNECT
        )
        .order_by("connection_id", "-requested_at")
        .distinct("connection_id")
    }
    filling = set(
        SyncRun.objects.filter(
            connection__in=connections, trigger=Trigger.CONNECT, status__in=SyncRun.ACTIVE
        ).values_list("connection_id", flat=True)
    )
    done = _days_done([run for run in latest.values() if run.connection_id not in filling])
    bills = Report.objects.filter(connection__in=connections, report_name=F("connection__cost_source"))
    begins = dict(bills.values_list("connection_id", "wanted_from"))
    found: dict[UUID, Progress] = {}
    now = database_now()
    for connection in connections:
        run = latest.get(connection.pk)
        if run is None:
            continue
        if connection.pk in filling:
            progress = runs.backfill_progress(connection, now=now)
        else:
            progress = Progress(runs.days_of_bill(run, begins.get(connection.pk)), done[run.pk], 0, None)
        if progress is not None:
            found[connection.pk] = progress
    return found


def _days_done(closed: Sequence[SyncRun]) -> dict[UUID, int]:
    days: dict[UUID, int] = defaultdict(int)
    windows = SyncStep.objects.filter(
        run__in=closed, status=SyncStep.Status.DONE, report_name=F("run__connection__cost_source")
    ).values_list("run_id", "window_start", "window_end")
    for run_id, start, end in windows:
        days[run_id] += (end - start).days
    return days
