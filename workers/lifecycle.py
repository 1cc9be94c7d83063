"""What people and programs do with a connection, each with its effect on runs: the services of API, pages,
admin and commands.

Network first, then one transaction: no row is locked while upstream is asked. Nothing here publishes a
message; the dispatcher finds the rows.
"""

import datetime as dt
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import audit
from accounts.actions import difference
from accounts.models import Account
from foundation.periods import DayRange
from integrations import connections
from integrations.anthropic.probe import ProbeResult, probe
from integrations.connections import NewConnection, RefusedError
from integrations.errors import Advice, Fate, Reason, UpstreamError, advice
from integrations.models import Connection, Credential, Status
from integrations.vault import VaultError
from workers import bucket, lanes, plans, reports, runs, schedule, states
from workers.bucket import BucketUnavailableError
from workers.clock import database_now
from workers.models import SyncRun, Trigger
from workers.probe_tokens import ProbeTokens, fingerprint, limiter_down

# Two years: more than any plan fills, little enough for one run.
MOST_DAYS = 731


def check_key(account: Account, api_key: str, *, actor: str) -> ProbeResult:
    """
    Find out what a key is and can see; nothing is stored but that it was used, and by whom.

    Effects: a few requests upstream, each with a token of its organisation's bucket
    """
    # Before it is used: what happens to this process meanwhile must not hide it.
    audit.record(account, actor, "key.tested", connections.key_hint(api_key))
    waiting = f"{account.pk} {actor} {api_key}"
    try:
        owner = bucket.known_owner(fingerprint(api_key))
        tokens = ProbeTokens(owner, waiting=waiting, api_key=api_key)
    except BucketUnavailableError:
        return _refusal(limiter_down())
    result = probe(
        connections.client_for(api_key), api_key, today=database_now().date(), take_token=tokens.take
    )
    try:
        return tokens.settle(result)
    except BucketUnavailableError:
        return _refusal(limiter_down())


def connect(account: Account, wanted: NewConnection, *, actor: str) -> Connection:
    """
    Test the key, store it sealed, and queue the backfill.

    Raises:  RefusedError — the key does not pass, or the organisation is connected already;
             LabelTakenError
    """
    result = check_key(account, wanted.api_key, actor=actor)
    if not result.ok:
        raise _refused(result)
    assert result.organization is not None and result.origin is not None  # noqa: S101, PT018 - what `ok` means
    with transaction.atomic():
        # Before the connection, as everywhere: one that is revived may be on the page of somebody else.
        lanes.ensure_and_hold(result.organization.id, reports.families_of(result.origin))
        now = database_now()
        connection = connections.store(account, wanted, result, now=now)
        reports.revive(connection, now.date())
        connection.next_sync_at = schedule.next_daily(connection.pk, after=now)
        connections.set_state(connection, Status.BACKFILLING, save=False)
        connection.save(update_fields=["next_sync_at", "status", "reason", "detail", "remedy"])
        runs.request_run(
            connection, Trigger.CONNECT, runs.backfill_range(connection, now.date()), requested_by=actor
        )
        _note(connection, actor, "connection.created")
    return connection


def check_connection(connection: Connection, *, actor: str) -> ProbeResult:
    """Probe the stored key and bring the connection's state up to date with what was found."""
    _note(connection, actor, "connection.tested")
    tokens = ProbeTokens(connection.organization_id, waiting=f"{connection.pk} {actor}")
    try:
        result = connections.probe_stored(connection, today=database_now().date(), take_token=tokens.take)
    except VaultError as error:
        # Nothing is wrong with the connection: other processes may have the key.
        return _refusal(advice(Reason.KEY_UNREADABLE, cause=str(error)))
    except Credential.DoesNotExist:
        result = _refusal(advice(Reason.KEY_UNREADABLE, cause="No key is stored for this connection."))
    try:
        result = tokens.settle(result)
    except BucketUnavailableError:
        result = _refusal(limiter_down())
    found = result.organization
    if result.ok and found and found.id != connection.organization_id:
        expected = connection.organization_name
        result = _refusal(advice(Reason.ORGANIZATION_MISMATCH, found=found.name, expected=expected))
    _apply(connection, result)
    return result


def _hold(connection: Connection) -> Connection:
    """
    Lock its lanes and then the connection, in the order in which workers do.

    Raises:  ConnectionStandsStillError — somebody has disconnected or erased it meanwhile
    """
    lanes.hold_all(connection.organization_id)
    return _still_live(connection)


def _still_live(connection: Connection) -> Connection:
    """Lock the connection alone, which is enough where no lane is touched; raises as `_hold`."""
    current = states.find_and_hold(connection)
    if current is None or current.is_disconnected:
        connection.disconnected_at = connection.disconnected_at or database_now()
        raise ConnectionStandsStillError(connection)
    return current


def _apply(connection: Connection, result: ProbeResult) -> None:
    now = database_now()
    with transaction.atomic():
        current = _hold(connection)
        # Rotated while it was probed, it was another key: that says nothing of the one there is now.
        is_its_key = current.key_hint == connection.key_hint
        if is_its_key and result.ok:
            reports.reopen(current)
            current.capabilities = [asdict(capability) for capability in result.capabilities]
            current.save(update_fields=["capabilities"])
            if current.status == Status.ERROR:
                _back_to_work(current, now)
        elif is_its_key and current.status != Status.PAUSED and result.reason in states.NEEDS_PERSON:
            states.break_down(current, UpstreamError.told(_advice(result), Fate.FATAL), now=now)
    connection.refresh_from_db()


def force_sync(connection: Connection, days: DayRange | None, *, actor: str) -> tuple[SyncRun, bool]:
    """
    Queue a sync of the days (default: today, the trailing days and any gap); return (run, whether new).

    Raises:  ConnectionStandsStillError — the connection is paused, disconnected or needs a person first;
             RangeError — no such days; HistoryFloorError — older than the plan includes or upstream reports
    """
    today = database_now().date()
    if days is not None:
        _check_range(days, today)
    with transaction.atomic():
        current = _hold(connection)
        if current.status in states.STANDING:
            raise ConnectionStandsStillError(current)
        if days is None:
            days = _trailing(current, today)
        else:
            _check_depth(current, days, today)
        run, created = runs.request_run(current, Trigger.FORCE, days, requested_by=actor)
        if created:
            _note(current, actor, "connection.sync_forced", from_day=str(days.start), to_day=str(days.end))
    return run, created


def _trailing(connection: Connection, today: dt.date) -> DayRange:
    backfill = runs.find_backfill(connection)
    days = runs.trailing_range(connection, today, with_today=True, is_backfilling=backfill is not None)
    if backfill:
        # The backfill ends with the day it was asked for; what has passed since is nobody else's.
        return DayRange(min(days.start, backfill.to_day - dt.timedelta(days=1)), days.end)
    return days


def _check_range(days: DayRange, today: dt.date) -> None:
    if not len(days):
        raise RangeError("The range holds no day: its end must lie after its start.")
    if days.start > today:
        raise RangeError("The range has not begun yet (UTC).")


def _check_depth(connection: Connection, days: DayRange, today: dt.date) -> None:
    first = plans.first_allowed_day(connection, today)
    if days.start < first:
        plan = connection.account.get_plan_display()
        raise HistoryFloorError(
            first, f"The {plan} plan includes days from {first} on. Ask for these, or change the plan first."
        )
    reported = reports.first_reported_day(connection, today)
    if reported and days.end <= reported:
        raise HistoryFloorError(reported, f"Anthropic reports days from {reported} on. Ask for these.")
    if len(days) > MOST_DAYS:
        raise RangeError(f"At most {MOST_DAYS} days can be fetched at once.")


class RangeError(Exception):
    """The days asked for cannot be fetched; the message says why."""


class HistoryFloorError(RangeError):
    """The days lie before `first_allowed`, the first one that can be fetched."""

    def __init__(self, first_allowed: dt.date, message: str) -> None:
        super().__init__(message)
        self.first_allowed = first_allowed


class ConnectionStandsStillError(Exception):
    """A paused or broken connection cannot sync."""

    def __init__(self, connection: Connection) -> None:
        if connection.is_disconnected:
            state, remedy = "disconnected", "Connect its organisation again."
        elif connection.status == Status.PAUSED:
            state, remedy = "paused", "Resume it first."
        else:
            state, remedy = "stopped", f"{connection.detail} {connection.remedy}".strip()
        super().__init__(f"{connection.label} is {state}. {remedy}")
        self.connection = connection


def rotate_key(connection: Connection, api_key: str, *, actor: str) -> ProbeResult:
    """
    Replace the stored key by one of the same organisation that passes its probe; go on where it stopped.

    Raises:  RefusedError — the key does not pass or belongs to another organisation; nothing is changed
    """
    result = check_key(connection.account, api_key, actor=actor)
    if not result.ok:
        raise _refused(result)
    with transaction.atomic():
        current = _hold(connection)
        hint = current.key_hint
        connections.replace_key(current, api_key, result)
        reports.reopen(current)
        if current.status == Status.ERROR:
            _back_to_work(current, database_now())
        _note(current, actor, "connection.rotated", key=difference(hint, current.key_hint))
    connection.refresh_from_db()
    return result


def pause(connection: Connection, *, actor: str) -> None:
    """Stop fetching until resumed; what is open stays open."""
    with transaction.atomic():
        current = _hold(connection)
        if current.status == Status.PAUSED:
            return
        connections.set_state(current, Status.PAUSED)
        _note(current, actor, "connection.paused")
    connection.refresh_from_db()


def resume(connection: Connection, *, actor: str) -> None:
    """Go on with what is open, fetch the days missed meanwhile, and ask again for what was refused."""
    with transaction.atomic():
        current = _hold(connection)
        if current.status != Status.PAUSED:
            return
        # A bill that was refused to the last request before the pause stopped nothing: the pause already had.
        reports.reopen(current)
        _back_to_work(current, database_now())
        _note(current, actor, "connection.resumed")
    connection.refresh_from_db()


def _back_to_work(connection: Connection, now: dt.datetime) -> None:
    """Clear the trouble, ring the lane, and catch up on missed days once the first run has succeeded."""
    if connection.status == Status.ERROR:
        states.enqueue_recovered(connection, now)
    connections.set_state(connection, states.working_status(connection))
    runs.request_run(connection, Trigger.REREAD, _trailing(connection, now.date()), requested_by="catch up")
    for lane in lanes.hold_all(connection.organization_id):
        lanes.make_due(lane.pk)


def edit(
    connection: Connection, *, label: str | None = None, cost_center: str | None = None, actor: str
) -> None:
    """
    Change label, cost centre or both; what is None stays as it is by now.

    Raises:  LabelTakenError; ConnectionStandsStillError — somebody has disconnected or erased it meanwhile
    """
    with transaction.atomic():
        current = _still_live(connection)
        changes = connections.rename(current, label=label, cost_center=cost_center)
        if changes:
            told = {name: difference(before, after) for name, (before, after) in changes.items()}
            _note(current, actor, "connection.edited", **told)
    connection.refresh_from_db()


def disconnect(connection: Connection, *, erase: bool, actor: str) -> None:
    """
    Delete the key and stop; keep the history, or erase every stored fact, page, run and name of it.

    The lane is locked first: a worker in the middle of a write finishes before, or finds its step gone.

    Key:     again, or after somebody else, it changes nothing; what is disconnected can still be erased
    """
    with transaction.atomic():
        lanes.hold_all(connection.organization_id)
        current = states.find_and_hold(connection)
        if current is None or (current.is_disconnected and not erase):
            return
        if erase:
            _note(current, actor, "connection.erased")
            current.delete()
            lanes.forget(current.organization_id)
        else:
            now = database_now()
            runs.cancel_open(current, now=now)
            connections.close(current, now=now)
            _note(current, actor, "connection.disconnected")


def _note(connection: Connection, actor: str, action: str, **changes: Any) -> None:
    audit.record(connection.account, actor, action, connection.label, target_id=connection.pk, **changes)


def _advice(result: ProbeResult) -> Advice:
    if result.reason is None:
        raise ValueError("a refused probe names its reason")
    return Advice(result.reason, result.detail, result.remedy)


def _refused(result: ProbeResult) -> RefusedError:
    return RefusedError(_advice(result), retry_after_seconds=result.retry_after_seconds)


def _refusal(told: Advice) -> ProbeResult:
    return ProbeResult(
        ok=False, origin=None, organization=None, capabilities=[], reason=told.reason,
        detail=told.detail, remedy=told.remedy, request_ids=[],
    )  # fmt: skip


def find(account: Account, connection_id: UUID) -> Connection | None:
    """Return the account's live connection; None also for another account's."""
    return (
        Connection.objects.select_related("account")
        .filter(account=account, pk=connection_id, disconnected_at__isnull=True)
        .first()
    )
