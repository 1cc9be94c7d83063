"""Processes a lane: claims it, does a few requests, each with its own token and its own transaction.

    claim ─▶ choose step ─▶ token? ─no─▶ park until there is one
                              │yes
               note grant (committed) ─▶ one request ─▶ one transaction: record what came ─▶ next, or park

Nothing here waits: where a lane must wait, it is parked and given back. What an answer changes in the rows
is decided in `outcomes`.
"""

import datetime as dt
from collections import Counter
from dataclasses import replace

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as database
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce

from foundation.periods import DayRange
from integrations import connections
from integrations.anthropic.client import AnthropicClient
from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.errors import Fate, Reason, UpstreamError, advice
from integrations.models import Credential
from integrations.pages import PageRequest
from integrations.vault import VaultError
from workers import backoff, lanes, outcomes, runs, turned_off
from workers.bucket import BucketUnavailableError, rate_of
from workers.clock import database_now
from workers.failpoints import failpoint
from workers.lanes import Lease, LeaseLostError
from workers.models import SyncRun, SyncStep, Trigger

_log = structlog.get_logger(__name__)

# After so many requests the lane goes to the back of the queue, so that one with a year to fetch and a
# generous rate does not hold a thread while others are due.
REQUESTS_A_LEASE = 4
# A step that was started so often without any outcome kills its worker every time (poison).
_MOST_CLAIMS = 5
# Lane → how often in a row our own servers failed it. Of this process only: a row cannot be trusted to count what
# keeps rows from being written, and who forgets it waits two seconds once more.
_own_trouble: Counter[int] = Counter()


def process_lane(lane_id: int) -> int:
    """
    Do what the lane has to do now; return how many requests were made.

    Key:     stale, doubled and early calls find the lane taken or not due and return 0
    Effects: at most REQUESTS_A_LEASE requests; every outcome committed under the lease's fencing token
    """
    lease = lanes.claim(lane_id)
    if lease is None:
        return 0
    failpoint("claimed")
    done = 0
    try:
        while done < REQUESTS_A_LEASE:
            if not _one_request(lease):
                return done
            _own_trouble.pop(lane_id, None)
            done += 1
        lanes.park(lease, 0)
    except LeaseLostError:
        # Frozen or slow past the lease: another holder does the work, and nothing of ours was written.
        _log.warning("lease_lost", lane_id=lane_id)
    except BucketUnavailableError as error:
        _log.warning("bucket_unavailable", lane_id=lane_id, error=str(error))
        _give_back(lease)
    except (OperationalError, InterfaceError) as error:
        # A restart, a lock cut by an operator, a full disk: what was not committed is not there. Giving the
        # lane back at once saves the rest of the lease; if that fails too, the lease ends by itself.
        _log.warning("database_failed", lane_id=lane_id, error=str(error).strip())
        database.close()
        _give_back(lease)
    return done


def _give_back(lease: Lease) -> None:
    """Park the lane after trouble of our own servers; the worker lives, so no step of it ends its worker."""
    _own_trouble[lease.lane_id] += 1
    try:
        with transaction.atomic():
            lanes.park(lease, backoff.own_trouble(_own_trouble[lease.lane_id]))
            open_runs = SyncRun.objects.filter(lane_id=lease.lane_id, status__in=SyncRun.ACTIVE)
            open_runs.update(claims_since_progress=0)
    except (LeaseLostError, OperationalError, InterfaceError) as error:
        # The lease ends by itself, or has ended.
        _log.warning("lane_not_given_back", lane_id=lease.lane_id, error=str(error).strip())


def _one_request(lease: Lease) -> bool:
    """Do one step's next request; False when the lane was given back instead."""
    step = _choose(lease)
    if step is None:
        return False
    failpoint("chosen")
    with structlog.contextvars.bound_contextvars(
        connection_id=str(step.run.connection_id), sync_run_id=str(step.run_id), report_name=step.report_name
    ):
        try:
            client = connections.open_client(step.run.connection)
        except VaultError as error:
            return outcomes.leave_to_others(lease, step, _unreadable_key(error))
        except Credential.DoesNotExist as error:
            outcomes.record_failure(lease, step, _unreadable_key(error), requested=False)
            return True
        seed = lanes.seed_of(lease.organization_id, lease.family)
        answer = lease.bucket.acquire(seed, reserve=_reserve(step))
        if not answer.granted:
            return _wait_for_token(lease, step, answer.wait_seconds)
        failpoint("token-taken")
        with transaction.atomic():
            requested_at = lanes.note_grant(lease, answer)
            _note_start(step, requested_at)
        failpoint("grant-noted")
        return _fetch_and_record(lease, step, client, requested_at)


def _wait_for_token(lease: Lease, step: SyncStep, wait_seconds: float) -> bool:
    """Park the lane until there is a token; or go on, when a more urgent run that may use the last one has come."""
    with transaction.atomic():
        lanes.lock(lease)
        urgent = runs.ready_steps(lease.lane_id).first()
        if urgent and _reserve(urgent) < _reserve(step):
            return True
        lanes.park(lease, wait_seconds)
    return False


def _reserve(step: SyncStep) -> int:
    """Return how many tokens the step's request must leave to people who wait for a connection test or a force sync."""
    if step.run.trigger == Trigger.FORCE or runs.is_starved(step):
        return 0
    return rate_of(step.run.lane.family).spared


def _choose(lease: Lease) -> SyncStep | None:
    """
    Return the step to do next; with none, give the lane back until one can be done.

    Looking takes no lock: whoever lost the lane meanwhile is refused when the grant is noted, before the request.
    Only what changes rows does: planning, skipping what was turned off, stopping a poisoned run, giving back.
    """
    if not runs.unplanned(lease.lane_id).exists():
        # One row at a time: a year's backfill has hundreds of open steps, and only the first is needed.
        step = runs.ready_steps(lease.lane_id).first()
        if step is not None and not _is_poisoned(step) and step.report_name not in settings.REPORTS_OFF:
            return step
    with transaction.atomic():
        lanes.lock(lease)
        runs.plan_missing(lease.lane_id)
        failpoint("steps-planned")
        if settings.REPORTS_OFF:
            turned_off.skip(lease.lane_id)
        while (step := runs.ready_steps(lease.lane_id).first()) is not None:
            if not _is_poisoned(step):
                return step
            outcomes.stop_poisoned(step.run)
        later = runs.open_steps(lease.lane_id).order_by("not_before").first()
        if later is None:
            lanes.release(lease)
        else:
            lanes.park(lease, _seconds_until(later.not_before))
    failpoint("lane-released")
    return None


def _is_poisoned(step: SyncStep) -> bool:
    return step.run.claims_since_progress >= _MOST_CLAIMS


def _seconds_until(moment: dt.datetime | None) -> float:
    return max(0.0, (moment - database_now()).total_seconds()) if moment else 0.0


def _note_start(step: SyncStep, now: dt.datetime) -> None:
    queued = When(status=SyncRun.Status.QUEUED, then=Value(SyncRun.Status.RUNNING))
    SyncRun.objects.filter(pk=step.run_id).update(
        claims_since_progress=F("claims_since_progress") + 1,
        requests=F("requests") + 1,
        status=Case(queued, default=F("status")),
        started_at=Coalesce(F("started_at"), now),
        last_request_at=now,
    )


def _fetch_and_record(
    lease: Lease, step: SyncStep, client: AnthropicClient, requested_at: dt.datetime
) -> bool:
    request = _request(step)
    if request is None:
        # The query changed with a release: a cursor is worth nothing under another query.
        return outcomes.restart(lease, step)
    try:
        page = client.fetch(request)
    except UpstreamError as error:
        failpoint("answered")
        _log.warning("fetch_failed", reason=error.reason, status=error.status, request_id=error.request_id)
        return outcomes.record_failure(lease, step, error)
    failpoint("answered")
    return outcomes.record_page(lease, step, page, requested_at=requested_at)


def _request(step: SyncStep) -> PageRequest | None:
    first = REPORT_SPECS[step.report_name].first_page(DayRange(step.window_start, step.window_end))
    if step.cursor is None:
        return first
    return replace(first, cursor=step.cursor) if first.query_hash() == step.query_hash else None


def _unreadable_key(error: Exception) -> UpstreamError:
    cause = str(error) if isinstance(error, VaultError) else "No key is stored for this connection."
    return UpstreamError.told(advice(Reason.KEY_UNREADABLE, cause=cause), Fate.FATAL)
