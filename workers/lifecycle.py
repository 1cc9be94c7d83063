"""What people and programs do with a connection, each with its effect on runs: the services of API, pages,
admin and commands.

Network first, then one transaction: no row is locked while upstream is asked. Nothing here publishes a
message; the dispatcher finds the rows.
"""

import datetime as dt
import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts import audit
from accounts.actions import difference
from accounts.models import Account
from costs.periods import DayRange
from integrations import connections
from integrations.anthropic.probe import ProbeResult, probe
from integrations.anthropic.stream import Family
from integrations.connections import RefusedError
from integrations.errors import Advice, Fate, Reason, UpstreamError, advice
from integrations.models import Connection, Credential, Status
from integrations.vault import RingKeyMissingError, VaultError
from workers import bucket, lanes, reports, runs, schedule, states
from workers.bucket import Bucket, BucketUnavailableError, Seed, rate_of
from workers.clock import database_now
from workers.models import SyncRun, Trigger

# Two years: more than any plan fills, little enough for one run.
MOST_DAYS = 731
_CLASSIC: Family = "classic"
# After a 429 that does not say how long to wait.
_UNSAID_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What a person gives to connect an organisation; a blank label gets a default."""

    api_key: str
    label: str = ""
    cost_center: str = ""

    def __repr__(self) -> str:
        return f"NewConnection(label={self.label!r}, cost_center={self.cost_center!r})"


def test_key(account: Account, api_key: str, *, actor: str) -> ProbeResult:
    """
    Find out what a key is and can see; nothing is stored but that it was used, and by whom.

    Effects: a few requests upstream, each with a token of its organisation's bucket
    """
    # Before it is used: what happens to this process meanwhile must not hide it.
    audit.record(account, actor, "key.tested", connections.key_hint(api_key))
    try:
        tokens = _Tokens(owner=bucket.known_owner(_fingerprint(api_key)), api_key=api_key)
    except BucketUnavailableError:
        return _refusal(_limiter_down())
    result = probe(
        connections.client_for(api_key), api_key, today=database_now().date(), take_token=tokens.take
    )
    try:
        tokens.settle(result)
    except BucketUnavailableError:
        return _refusal(_limiter_down())
    return result


def connect(account: Account, wanted: NewConnection, *, actor: str) -> Connection:
    """
    Test the key, store it sealed, and queue the backfill.

    Raises:  RefusedError — the key does not pass, or the organisation is connected already;
             LabelTakenError
    """
    result = test_key(account, wanted.api_key, actor=actor)
    if not result.ok:
        raise _refused(result)
    assert result.organization is not None  # noqa: S101 - what `ok` means
    with transaction.atomic():
        connection = connections.store(
            account, wanted.api_key, result, label=wanted.label, cost_center=wanted.cost_center
        )
        now = database_now()
        reports.revive(connection, now.date())
        connection.next_sync_at = schedule.next_daily(connection.pk, after=now)
        connections.set_state(connection, Status.BACKFILLING, save=False)
        connection.save(update_fields=["next_sync_at", "status", "reason", "detail", "remedy"])
        runs.request_run(
            connection, Trigger.CONNECT, runs.backfill_range(connection, now.date()), requested_by=actor
        )
        _note(connection, actor, "connection.created")
    return connection


def test(connection: Connection, *, actor: str) -> ProbeResult:
    """Probe the stored key and bring the connection's state up to date with what was found."""
    _note(connection, actor, "connection.tested")
    tokens = _Tokens(owner=connection.organization_id)
    try:
        result = connections.probe_stored(connection, today=database_now().date(), take_token=tokens.take)
    except RingKeyMissingError as error:
        # Nothing is wrong with the connection: other processes may have the key.
        return _refusal(advice(Reason.KEY_UNREADABLE, cause=str(error)))
    except (VaultError, Credential.DoesNotExist) as error:
        result = _refusal(advice(Reason.KEY_UNREADABLE, cause=str(error)))
    try:
        tokens.settle(result)
    except BucketUnavailableError:
        result = _refusal(_limiter_down())
    found = result.organization
    if result.ok and found and found.id != connection.organization_id:
        expected = connection.organization_name
        result = _refusal(advice(Reason.ORGANIZATION_MISMATCH, found=found.name, expected=expected))
    _apply(connection, result)
    return result


def _hold(connection: Connection) -> Connection:
    """
    Lock lane and connection, in the order in which workers do.

    Raises:  ConnectionStandsStillError — somebody has disconnected or erased it meanwhile
    """
    lanes.hold(connection.organization_id, reports.families(connection))
    current = states.find_and_hold(connection)
    if current is None or current.is_disconnected:
        connection.disconnected_at = connection.disconnected_at or database_now()
        raise ConnectionStandsStillError(connection)
    return current


def _apply(connection: Connection, result: ProbeResult) -> None:
    now = database_now()
    with transaction.atomic():
        current = _hold(connection)
        if result.ok:
            reports.reopen(current)
            current.capabilities = [asdict(capability) for capability in result.capabilities]
            current.save(update_fields=["capabilities"])
            if current.status == Status.ERROR:
                _back_to_work(current, now)
        elif current.status != Status.PAUSED and result.reason in states.NEEDS_PERSON:
            states.break_down(current, UpstreamError.told(_advice(result), Fate.FATAL), now=now)
    connection.refresh_from_db()


def force_sync(connection: Connection, days: DayRange | None, *, actor: str) -> tuple[SyncRun, bool]:
    """
    Queue a sync of the days (default: today, the trailing days and any gap); return (run, whether new).

    Raises:  ConnectionStandsStillError — the connection is paused, disconnected or needs a person first
    """
    if connection.status in {Status.PAUSED, Status.ERROR} or connection.is_disconnected:
        raise ConnectionStandsStillError(connection)
    today = database_now().date()
    if days is not None:
        _check_range(days, today)
    with transaction.atomic():
        current = _hold(connection)
        if days is None:
            days = _trailing(current, today)
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
    if len(days) > MOST_DAYS:
        raise RangeError(f"At most {MOST_DAYS} days can be fetched at once.")


class RangeError(Exception):
    """The days asked for cannot be fetched; the message says why."""


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


def rotate_key(connection: Connection, api_key: str, *, actor: str) -> ProbeResult:
    """
    Replace the stored key by one of the same organisation that passes its probe; go on where it stopped.

    Raises:  RefusedError — the key does not pass or belongs to another organisation; nothing is changed
    """
    result = test_key(connection.account, api_key, actor=actor)
    if not result.ok:
        raise _refused(result)
    with transaction.atomic():
        current = _hold(connection)
        connections.replace_key(current, api_key, result)
        reports.reopen(current)
        if current.status == Status.ERROR:
            _back_to_work(current, database_now())
        _note(current, actor, "connection.rotated", key=difference(connection.key_hint, current.key_hint))
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
    """Go on with what is open and fetch the days missed meanwhile."""
    with transaction.atomic():
        current = _hold(connection)
        if current.status != Status.PAUSED:
            return
        _back_to_work(current, database_now())
        _note(current, actor, "connection.resumed")
    connection.refresh_from_db()


def _back_to_work(connection: Connection, now: dt.datetime) -> None:
    """Clear the trouble, ring the lane, and catch up on missed days once the first run has succeeded."""
    if connection.status == Status.ERROR:
        states.enqueue_recovered(connection, now)
    connections.set_state(connection, states.working_status(connection))
    runs.request_run(connection, Trigger.REREAD, _trailing(connection, now.date()), requested_by="catch up")
    for lane in lanes.hold(connection.organization_id, reports.families(connection)):
        lanes.ring(lane.pk)


def edit(connection: Connection, *, label: str, cost_center: str, actor: str) -> None:
    """Change label and cost centre; LabelTakenError."""
    before = {"label": connection.label, "cost_center": connection.cost_center}
    with transaction.atomic():
        connections.rename(connection, label=label, cost_center=cost_center)
        after = {"label": connection.label, "cost_center": connection.cost_center}
        changes = {
            name: difference(before[name], after[name]) for name in before if before[name] != after[name]
        }
        if changes:
            _note(connection, actor, "connection.edited", **changes)


def disconnect(connection: Connection, *, erase: bool, actor: str) -> None:
    """
    Delete the key and stop; keep the history, or erase every stored fact, page, run and name of it.

    The lane is locked first: a worker in the middle of a write finishes before, or finds its step gone.
    """
    with transaction.atomic():
        lanes.hold(connection.organization_id, reports.families(connection))
        if erase:
            Connection.objects.filter(pk=connection.pk).delete()
        else:
            now = database_now()
            runs.cancel_open(connection, now=now)
            connections.close(connection, now=now)
        _note(connection, actor, "connection.erased" if erase else "connection.disconnected")


def _note(connection: Connection, actor: str, action: str, **changes: Any) -> None:
    audit.record(connection.account, actor, action, connection.label, target_id=connection.pk, **changes)


def _advice(result: ProbeResult) -> Advice:
    if result.reason is None:
        raise ValueError("a refused probe names its reason")
    return Advice(result.reason, result.detail, result.remedy)


def _refused(result: ProbeResult) -> RefusedError:
    wait_seconds = result.retry_after_seconds
    if wait_seconds is None and result.reason is Reason.RATE_LIMITED:
        wait_seconds = _UNSAID_WAIT_SECONDS  # for which its bucket is blocked now
    return RefusedError(_advice(result), retry_after_seconds=wait_seconds)


def _refusal(told: Advice) -> ProbeResult:
    return ProbeResult(
        ok=False, origin=None, organization=None, capabilities=[], reason=told.reason,
        detail=told.detail, remedy=told.remedy, request_ids=[],
    )  # fmt: skip


def _limiter_down() -> Advice:
    return advice(Reason.UPSTREAM_UNAVAILABLE, cause="our own rate limiter (Redis) does not answer")


def _fingerprint(api_key: str) -> str:
    """Name a key without holding it, for remembering which organisation it belonged to when last tested."""
    digest = hmac.new(settings.SECRET_KEY.encode(), api_key.encode(), hashlib.sha256).hexdigest()
    return digest[:32]


class _Tokens:
    """Takes a token of the right bucket before each request of a probe.

    A key that was never seen tells its organisation only by asking. Those first requests run on the key's own
    small bucket, so that hammering one key stays bounded, and are charged to the organisation afterwards.
    """

    def __init__(self, owner: str | None, api_key: str = "") -> None:
        self._owner, self._api_key = owner, api_key
        self._unpaid: list[Family] = []

    def take(self, organization_id: str | None, family: Family) -> None:
        """Take one token or raise UpstreamError(rate_limited); called before each request."""
        owner = organization_id or self._owner
        if owner is None:
            self._acquire(f"unknown:{_fingerprint(self._api_key)}", None, _CLASSIC)
            self._unpaid.append(family)
            return
        try:
            self._pay(owner)
        except BucketUnavailableError as error:
            raise UpstreamError.told(_limiter_down(), Fate.RETRYABLE) from error
        self._acquire(lanes.owner_key(owner, family), owner, family)

    def settle(self, result: ProbeResult) -> None:
        """
        Charge the first requests that found their organisation, obey each 429, remember whose key it is.

        Raises:  BucketUnavailableError
        """
        owner = result.organization.id if result.organization else self._owner
        if owner is None:
            return
        self._pay(owner)
        for family, wait_seconds in result.rate_limited.items():
            answer = self._bucket(owner, family).penalise(
                lanes.seed_of(owner, family), wait_seconds or _UNSAID_WAIT_SECONDS
            )
            lanes.note_level(owner, family, answer)
        if self._api_key and result.organization:
            bucket.remember_owner(_fingerprint(self._api_key), owner)

    def _bucket(self, owner: str, family: Family) -> Bucket:
        return Bucket(lanes.owner_key(owner, family), rate_of(family))

    def _pay(self, owner: str) -> None:
        while self._unpaid:
            family = self._unpaid.pop()
            answer = self._bucket(owner, family).debit(lanes.seed_of(owner, family))
            lanes.note_level(owner, family, answer)

    def _acquire(self, key: str, owner: str | None, family: Family) -> None:
        rate = rate_of(family)
        seed = lanes.seed_of(owner, family) if owner else Seed(rate.full_us)
        try:
            answer = Bucket(key, rate).acquire(seed)
        except BucketUnavailableError as error:
            raise UpstreamError.told(_limiter_down(), Fate.RETRYABLE) from error
        if not answer.granted:
            when = database_now() + dt.timedelta(seconds=answer.wait_seconds)
            told = advice(Reason.RATE_LIMITED, next_attempt=f"possible at {when:%H:%M:%S} UTC")
            raise UpstreamError.told(told, Fate.RETRYABLE, retry_after_seconds=answer.wait_seconds)
        if owner:
            # Before the request: should Redis lose the bucket now, it is seeded without this token.
            lanes.note_level(owner, family, answer)


def find(account: Account, connection_id: UUID) -> Connection | None:
    """Return the account's live connection; None also for another account's."""
    return (
        Connection.objects.select_related("account")
        .filter(account=account, pk=connection_id, disconnected_at__isnull=True)
        .first()
    )
