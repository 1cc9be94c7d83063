"""The state of a connection after each outcome, and the messages its people get about it.

Call inside the transaction of the outcome: state and message are committed with what caused them.
"""

import datetime as dt

from django.db.models import Exists, OuterRef, Q, QuerySet

from alerts.outbox import enqueue
from integrations import connections
from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.errors import Advice, Reason, UpstreamError, advice
from integrations.models import Connection, Status
from workers import notices, reports
from workers.models import SyncRun, SyncStep, Trigger

# Only a person can mend these; asking again would only use up requests.
NEEDS_PERSON = frozenset(
    {
        Reason.KEY_MALFORMED,
        Reason.KEY_WRONG_KIND,
        Reason.KEY_REJECTED,
        Reason.KEY_UNREADABLE,
        Reason.SCOPE_MISSING,
        Reason.HIPAA_NOT_SERVED,
        Reason.ORGANIZATION_REQUIRED,
        Reason.ORGANIZATION_MISMATCH,
    }
)
# What a connection is between its first success and its next trouble; nothing to look after then.
_WORKING = frozenset({Status.ACTIVE, Status.BACKFILLING})
# A person ends these, and what they do rings every lane (lifecycle). No answer may: it was asked for before, and the
# lanes of the connection may lie idle by now, with open steps that nobody would find.
STANDING = frozenset({Status.PAUSED, Status.ERROR})
_UNTROUBLED = frozenset({"", Reason.NO_USAGE})


def find_and_hold(connection: Connection) -> Connection | None:
    """Return the connection fresh and locked for the rest of the transaction, None if it was erased."""
    return (
        Connection.objects.select_for_update(of=("self",), no_key=True)
        .select_related("account")
        .filter(pk=connection.pk)
        .first()
    )


def hold(connection: Connection) -> Connection:
    """Like find_and_hold, for those who hold an open step of it; lock the lane before."""
    current = find_and_hold(connection)
    if current is None:
        raise ValueError(f"connection {connection.pk} was erased under an open step")
    return current


def after_success(connection: Connection, *, goes_on: bool = True, is_filling: bool = False) -> None:
    """
    A step got further or was closed: leave trouble behind, unless a window of the bill still has some.

    `goes_on` is False when nothing but reports in trouble beside the bill may be left of the run; `is_filling` is True
    for a step of a backfill.
    """
    if connection.status in _WORKING and connection.reason in _UNTROUBLED:
        if not goes_on and connection.status == Status.BACKFILLING:
            end_filling(hold(connection))
        elif goes_on and is_filling and connection.status == Status.ACTIVE:
            _go_on_filling(hold(connection))
        return
    _leave_trouble_behind(hold(connection))


def end_filling(connection: Connection) -> None:
    """Say that a backfill is over of which only reports in trouble beside the bill are left; hold the connection."""
    if connection.status == Status.BACKFILLING:
        connection.status = working_status(connection)
        connection.save(update_fields=["status"])


def _go_on_filling(connection: Connection) -> None:
    """Say that a backfill goes on that seemed over while nothing but trouble was left of it; hold the connection."""
    if connection.status == Status.ACTIVE:
        connection.status = working_status(connection)
        connection.save(update_fields=["status"])


def _leave_trouble_behind(current: Connection) -> None:
    if current.status in STANDING:
        return
    # One that was given up, too: its days are missing, and its run will end by saying so.
    if SyncStep.objects.filter(
        run__connection=current, run__status__in=SyncRun.ACTIVE, failures__gt=0, report_name=current.cost_source,
        status__in=(SyncStep.Status.QUEUED, SyncStep.Status.FAILED),
    ).exists():  # fmt: skip
        return
    target = working_status(current)
    if current.status != target or current.reason not in _UNTROUBLED:
        connections.set_state(current, target)


def enqueue_recovered(connection: Connection, now: dt.datetime) -> None:
    """Tell the account's people that a connection that needed them works again."""
    enqueue(connection.account, notices.recovered(connection, now), now=now)


def filling(*connections: Connection) -> QuerySet[SyncRun]:
    """
    Return the open backfills of these connections that go on, the oldest first.

    One of which nothing is left but reports beside the bill, and these in trouble, goes on no more: they may never come.
    """
    left = SyncStep.objects.filter(run=OuterRef("pk"), status=SyncStep.Status.QUEUED)
    is_expected = Exists(
        left.filter(Q(report_name=OuterRef("connection__cost_source")) | Q(failures=0, run__failures=0))
    )
    backfills = SyncRun.objects.filter(trigger=Trigger.CONNECT, status__in=SyncRun.ACTIVE)
    return backfills.filter(is_expected, connection__in=connections).order_by("requested_at")


def working_status(connection: Connection) -> Status:
    """Return what a connection without trouble is: backfilling, active, or pending before its first run."""
    if filling(connection).exists():
        return Status.BACKFILLING
    return Status.ACTIVE if connection.last_synced_at else Status.PENDING


def after_window(connection: Connection, *, has_rows: bool, now: dt.datetime) -> None:
    """A cost window was stored: the first one with rows is worth a message; call with the connection held."""
    if has_rows and connection.first_data_at is None:
        Connection.objects.filter(pk=connection.pk).update(first_data_at=now)
        enqueue(connection.account, notices.first_data(connection), now=now)


def after_bill(connection: Connection, *, now: dt.datetime) -> None:
    """Every window of a run's bill was stored: a success, however long its other reports take; hold the connection."""
    connection.last_synced_at = now
    connection.save(update_fields=["last_synced_at"])


def after_run(run: SyncRun, *, now: dt.datetime) -> None:
    """A run ended: freshness, the final state, and a word when there was nothing to find."""
    connection = hold(run.connection)
    # Also after a failed run: its other windows were stored.
    reports.settle(connection, now.date())
    connection.save(update_fields=["settled_through"])
    has_bill = run.lane.family == REPORT_SPECS[connection.cost_source].family
    if run.status == SyncRun.Status.SUCCEEDED:
        if has_bill:
            connection.last_synced_at = now
            connection.save(update_fields=["last_synced_at"])
        _leave_trouble_behind(connection)
        is_empty = has_bill and run.trigger == Trigger.CONNECT and connection.first_data_at is None
        if is_empty and connection.status not in STANDING:
            connections.set_state(connection, working_status(connection), advice(Reason.NO_USAGE))
    elif connection.status not in STANDING:
        connections.set_state(connection, Status.DEGRADED, _advice_of(run))


def _advice_of(run: SyncRun) -> Advice:
    if run.reason:
        known = advice(Reason(run.reason))
        return Advice(known.reason, run.detail, known.remedy)
    return Advice(Reason.UPSTREAM_UNREADABLE, run.detail, advice(Reason.UPSTREAM_UNREADABLE).remedy)


def degrade(connection: Connection, error: UpstreamError) -> None:
    """Temporary trouble: shown, retried by itself, nobody is written to."""
    current = hold(connection)
    if current.status not in STANDING:
        connections.set_state(current, Status.DEGRADED, _told(error))


def break_down(connection: Connection, error: UpstreamError, *, now: dt.datetime) -> None:
    """Only a person can mend it: stop, show what to do, write to the account's people once."""
    if connection.status != Status.ERROR:
        enqueue(connection.account, notices.needs_you(connection, _told(error), now), now=now)
    connections.set_state(connection, Status.ERROR, _told(error))


def _told(error: UpstreamError) -> Advice:
    return Advice(error.reason, error.detail, error.remedy)
