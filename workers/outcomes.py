"""What an answer changes: page, step, facts, run and connection, together or not at all.

Every function that the executor calls (`record_…`, `leave_to_others`, `restart`) opens one transaction and first proves the lease with
the lane's row locked, so a holder that lost its lane raises LeaseLostError before anything of it is visible. Each
returns whether the executor may go on with the lane.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce, Greatest

from costs import attribution, names
from costs.ingest import Ingested
from integrations.anthropic.report_specs import REPORT_SPECS, ReportSpec
from integrations.errors import Fate, Reason, UpstreamError, unreadable
from integrations.models import Status
from integrations.pages import Page as FetchedPage
from workers import absent, archive, backoff, lanes, paging, reports, runs, states, windows
from workers.bucket import Answer, BucketUnavailableError
from workers.clock import database_now
from workers.failpoints import failpoint
from workers.lanes import Lease
from workers.models import SyncRun, SyncStep, Trigger

_log = structlog.get_logger(__name__)

# A refused or unreadable answer is asked for again with growing waits (about two hours in all), then the
# step is given up and says so; the next sync of the same days is a fresh start.
_MOST_STEP_FAILURES = 8
# Steps whose windows are not stored, unless upstream has none of their days.
_WITHOUT_WINDOW = (SyncStep.Status.QUEUED, SyncStep.Status.FAILED)
# What this process cannot open is left for a tenth of the time since its run last moved: at first just long enough
# for another worker to take the steps, later so long that a ring which nobody has costs next to nothing.
_OTHERS_LEAST_SECONDS, _OTHERS_MOST_SECONDS, _OTHERS_SHARE = 3.0, 30.0, 0.1


def record_page(lease: Lease, step: SyncStep, page: FetchedPage, *, requested_at: dt.datetime) -> bool:
    """
    Archive the page and move the cursor; on the window's last page also write its facts and close the step.

    Effects: one transaction. Rows that cannot be trusted leave the stored facts as they are.
    """
    with transaction.atomic():
        lanes.lock(lease)
        held = _still_open(step)
        if held is None:
            return True
        try:
            paging.follow(held, page)
        except UpstreamError as error:
            _begin_again(held, error)
        else:
            _store_page(held, page, requested_at)
        failpoint("before-commit")
    failpoint("after-commit")
    return True


def record_failure(lease: Lease, step: SyncStep, error: UpstreamError, *, requested: bool = True) -> bool:
    """Write down a failed request and decide when, and by whom, it is tried again; see states.NEEDS_PERSON."""
    if error.reason is Reason.RATE_LIMITED:
        return _record_rate_limit(lease, step, error)
    with transaction.atomic():
        lanes.lock(lease)
        held = _still_open(step)
        if held is None:
            return True
        if requested:
            SyncRun.objects.filter(pk=held.run_id).update(claims_since_progress=0)
        if held.run.connection.key_hint != step.run.connection.key_hint:
            # Rotated while the request was under way: this says nothing of the key there is now.
            return True
        if error.reason is Reason.HISTORY_FLOOR:
            _skip_before_first_day(held, error)
        elif error.reason is Reason.NO_USAGE:
            _skip_unfinished(held, error)
        elif error.reason in states.NEEDS_PERSON or absent.is_refused(held, error):
            _stop_for_person(held, error)
        elif error.fate is Fate.RETRYABLE:
            return _back_off_lane(lease, held, error)
        else:
            _begin_again(held, error)
    return True


def leave_to_others(lease: Lease, step: SyncStep, error: UpstreamError) -> bool:
    """
    Put the connection's steps off for a moment, because this process cannot open the key while another one may.

    Not the lane: another connection of the organisation has a key of its own. Half of a rolling restart with a new ring, or a worker with another key under the same id: nothing is wrong with
    the connection. Whoever can open it goes on by itself; if nobody can, it shows as degraded, in doctor, and as late.
    """
    with transaction.atomic():
        lanes.lock(lease)
        held = _still_open(step)
        if held is None:
            return True
        SyncRun.objects.filter(pk=held.run_id).update(reason=error.reason, detail=error.detail)
        later = database_now() + dt.timedelta(seconds=_wait_for_others(held.run))
        SyncStep.objects.filter(
            run__connection_id=held.run.connection_id, run__lane_id=lease.lane_id,
            run__status__in=SyncRun.ACTIVE, status=SyncStep.Status.QUEUED,
        ).update(not_before=Greatest(Coalesce("not_before", later), later))  # fmt: skip
        states.degrade(held.run.connection, error)
    _log.error("key_left_to_others", detail=error.detail)
    return True


def _wait_for_others(run: SyncRun) -> float:
    still = database_now() - (run.last_progress_at or run.requested_at)
    return min(max(still.total_seconds() * _OTHERS_SHARE, _OTHERS_LEAST_SECONDS), _OTHERS_MOST_SECONDS)


def restart(lease: Lease, step: SyncStep) -> bool:
    """Ask the step's query again from page one, because its cursor belongs to another query."""
    with transaction.atomic():
        lanes.lock(lease)
        held = _still_open(step)
        if held:
            _restart(held)
            held.save()
            SyncRun.objects.filter(pk=held.run_id).update(claims_since_progress=0)
    return True


def stop_poisoned(run: SyncRun) -> None:
    """Close a run whose step ended its worker every time; call with the lane locked."""
    now = database_now()
    run.status, run.finished_at = SyncRun.Status.FAILED, now
    run.detail = (
        "A step ended its worker process each time it was tried; see the worker's log. The lane goes on."
    )
    run.save(update_fields=["status", "finished_at", "detail"])
    _log.error("run_poisoned", sync_run_id=str(run.pk))
    states.after_run(run, now=now)


def _still_open(step: SyncStep) -> SyncStep | None:
    """Return the step locked and fresh; None when it was cancelled, erased or restarted meanwhile."""
    held = (
        SyncStep.objects.select_for_update(of=("self",), no_key=True)
        .select_related("run__connection__account", "run__lane")
        .filter(pk=step.pk, attempt=step.attempt, status=SyncStep.Status.QUEUED)
        .filter(run__status__in=SyncRun.ACTIVE, run__connection__disconnected_at__isnull=True)
        .first()
    )
    if held is None:
        _log.info("answer_dropped", step_id=step.pk)
    return held


def _store_page(step: SyncStep, page: FetchedPage, requested_at: dt.datetime) -> None:
    archive.store(step, page, requested_at=requested_at)
    failpoint("page-archived")
    step.cursor, step.query_hash = page.next_cursor, page.request.query_hash()
    if page.has_more:
        _note_progress(step)
    else:
        _complete(step)


def _complete(step: SyncStep) -> None:
    """Write the window from its archived pages and close the step; or begin again when they cannot be trusted."""
    try:
        archived, reading = windows.read(step)
    except UpstreamError as error:
        _begin_again(step, error)
        return
    # Another lane may read the same connection: names, shares and reports are written by one at a time.
    step.run.connection = states.hold(step.run.connection)
    now = database_now()
    names.record_names(step.run.connection_id, reading.names, observed_at=now)
    written = windows.write(step, archived, reading, now=now)
    reports.note_read(step.run.connection, step.report_name, now)
    failpoint("facts-written")
    step.status, step.finished_at, step.cursor = SyncStep.Status.DONE, now, None
    _note_progress(step, written)


def _note_progress(step: SyncStep, written: Ingested | None = None) -> None:
    """Save the step, one page (`written` is None) or its whole window further; close the run with its last one."""
    now = step.finished_at or database_now()
    step.not_before = None
    if written is not None or step.attempt == 1:
        # Pages of a window that had to begin again prove nothing until it is whole: counted anew with each of them,
        # a window whose last page is refused every time would never be given up.
        step.failures, step.reason, step.detail = 0, "", ""
    step.save()
    is_open, has_trouble = Q(status=SyncStep.Status.QUEUED), Q(failures__gt=0)
    is_bill = Q(report_name=step.run.connection.cost_source)
    steps = step.run.steps.aggregate(
        closed=Count("pk", filter=~is_open), in_trouble=Count("pk", filter=is_open & has_trouble),
        goes_on=Count("pk", filter=is_open & (is_bill | ~has_trouble)),
        without_bill=Count("pk", filter=is_bill & Q(status__in=_WITHOUT_WINDOW)),
    )  # fmt: skip
    changes: dict[str, Any] = {
        "failures": 0, "claims_since_progress": 0, "last_progress_at": now, "steps_done": steps["closed"],
    }  # fmt: skip
    if written is not None:
        for name in ("added", "changed", "removed", "unchanged"):
            changes[f"rows_{name}"] = F(f"rows_{name}") + getattr(written, name)
    # What still troubles another step stays to be read, as on the connection.
    if not steps["in_trouble"]:
        changes |= {"reason": "", "detail": ""}
    SyncRun.objects.filter(pk=step.run_id).update(**changes)
    if steps["closed"] == step.run.steps_total:
        _close_run(step, now)
        return
    if (
        written is not None
        and not steps["without_bill"]
        and step.report_name == step.run.connection.cost_source
    ):
        # Whatever becomes of the other reports of the run.
        states.after_bill(step.run.connection, now=now)
    states.after_success(
        step.run.connection,
        goes_on=bool(steps["goes_on"]),
        is_filling=step.run.trigger == Trigger.CONNECT,
    )


def close_run_if_done(step: SyncStep, now: dt.datetime) -> None:
    """Note that a step was closed without its window: skipped, or given up."""
    closed = step.run.steps.exclude(status=SyncStep.Status.QUEUED).count()
    if closed == step.run.steps_total:
        _close_run(step, now)
        return
    SyncRun.objects.filter(pk=step.run_id).update(steps_done=closed)
    states.after_success(step.run.connection, goes_on=False)


def _close_run(step: SyncStep, now: dt.datetime) -> None:
    run = SyncRun.objects.select_related("connection__account", "lane").get(pk=step.run_id)
    # Whatever else cannot be read leaves the bill as it is: its own report says so, and the run succeeds.
    bill = run.connection.cost_source
    failed = run.steps.filter(status=SyncStep.Status.FAILED, report_name=bill).order_by("position").first()
    run.steps_done, run.finished_at = run.steps_total, now
    run.status = SyncRun.Status.FAILED if failed else SyncRun.Status.SUCCEEDED
    if failed:
        run.reason, run.detail = failed.reason, failed.detail
    run.save(update_fields=["steps_done", "status", "finished_at", "reason", "detail"])
    states.after_run(run, now=now)


def _restart(step: SyncStep) -> None:
    step.attempt, step.cursor, step.query_hash = step.attempt + 1, None, ""
    step.pages_read = step.blank_pages = 0


def _begin_again(step: SyncStep, error: UpstreamError) -> None:
    """
    Ask the step's query anew: at once where only the data moved while it was read, later where the answer was wrong.

    The second time that the pages of a window do not fit together fewer days are asked for: fewer pages have less time
    to fall apart. A single day that never fits is a failure like any other.
    """
    if error.fate is not Fate.RESTART:
        _fail_step(step, error)
        return
    if step.failures and not runs.split(step):
        _fail_step(step, error)
        return
    _restart(step)
    step.failures = max(step.failures, 1)
    step.save()
    SyncRun.objects.filter(pk=step.run_id).update(claims_since_progress=0)


def _fail_step(step: SyncStep, error: UpstreamError) -> None:
    """Start the step again later, on its own clock; give it up after too many refusals in a row."""
    _restart(step)
    if step.failures + 1 >= _MOST_STEP_FAILURES:
        step.status, step.finished_at = SyncStep.Status.FAILED, database_now()
    _back_off_step(step, error)
    _tell(step, error)
    if step.status == SyncStep.Status.FAILED:
        close_run_if_done(step, database_now())


def _back_off_step(step: SyncStep, error: UpstreamError) -> None:
    step.failures += 1
    step.not_before = database_now() + backoff.wait(step.failures)
    step.reason, step.detail = error.reason, error.detail
    step.save()
    SyncRun.objects.filter(pk=step.run_id).update(
        reason=error.reason, detail=error.detail, claims_since_progress=0
    )


def _back_off_lane(lease: Lease, step: SyncStep, error: UpstreamError) -> bool:
    """
    Wait with the whole lane: an upstream that does not answer would not answer another step either.

    Not if the bill could be read now: it is asked for before that is believed of it.
    """
    failures = step.run.failures + 1
    wait_seconds = max(error.retry_after_seconds or 0.0, backoff.wait(failures).total_seconds())
    # If only this window fails, the others must not stand behind it: it comes again after one of them could.
    # In trouble, but not refused: however long upstream is silent, no step is given up for it.
    step.failures = max(step.failures, 1)
    step.not_before = database_now() + dt.timedelta(seconds=2 * wait_seconds)
    step.reason, step.detail = error.reason, error.detail
    step.save()
    SyncRun.objects.filter(pk=step.run_id).update(failures=failures, reason=error.reason, detail=error.detail)
    _tell(step, error)
    goes_on = step.report_name != step.run.connection.cost_source and runs.ready_bill(lease.lane_id).exists()
    if not goes_on:
        lanes.park(lease, wait_seconds)
    failpoint("failure-noted")
    return goes_on


def _tell(step: SyncStep, error: UpstreamError) -> None:
    """Say at the report that it is in trouble; and at the connection when the bill waits for it."""
    connection = states.hold(step.run.connection)
    reports.note_trouble(connection, step.report_name, error)
    if step.report_name == connection.cost_source:
        states.degrade(connection, error)
    else:
        # It may have been the last of which something was still expected.
        states.end_filling(connection)


def _record_rate_limit(lease: Lease, step: SyncStep, error: UpstreamError) -> bool:
    """Obey a 429 for everybody who shares the bucket; it is not a failure of the run."""
    wait_seconds = error.retry_after_seconds
    if wait_seconds is None:
        wait_seconds = backoff.wait(step.run.failures + 1).total_seconds()
    seed = lanes.seed_of(lease.organization_id, lease.family)
    try:
        answer = lease.bucket.penalise(seed, wait_seconds)
    except BucketUnavailableError:
        # The block stands in the lane's row all the same, and seeds the bucket once Redis is back.
        answer = Answer(granted=False, wait_seconds=wait_seconds, level_us=0, blocked_seconds=wait_seconds)
    failpoint("penalised")
    with transaction.atomic():
        lanes.lock(lease)
        lanes.note_penalty(lease, answer)
        SyncRun.objects.filter(pk=step.run_id).update(
            claims_since_progress=0, reason=error.reason, detail=error.detail,
            failures=F("failures") + (1 if error.retry_after_seconds is None else 0),
        )  # fmt: skip
        held = _still_open(step)
        if held:
            _tell(held, error)
        lanes.park(lease, wait_seconds)
    return False


def _skip_before_first_day(step: SyncStep, error: UpstreamError) -> None:
    """Do without the days of a window that lie before what upstream reports, and want them no more."""
    connection, floor = states.hold(step.run.connection), REPORT_SPECS[step.report_name].first_available_day
    first = floor(database_now().date()) if floor else step.window_end
    if step.window_start < first < step.window_end:
        reports.raise_first_day(connection, step.report_name, first)
        step.window_start = first
        _restart(step)
        step.save()
        return
    reports.raise_first_day(connection, step.report_name, step.window_end)
    _skip(step, error)
    close_run_if_done(step, database_now())


def _skip_unfinished(step: SyncStep, error: UpstreamError) -> None:
    """Do without days of which upstream has none finished yet, until a later sync; of older days that is no answer."""
    today = database_now().date()
    if step.window_end <= today - windows.LATEST_DAY_KNOWN:
        _fail_step(step, unreadable("it has nothing of days long over", request_id=error.request_id))
        return
    _skip(step, error)
    close_run_if_done(step, database_now())


def _skip(step: SyncStep, error: UpstreamError) -> None:
    step.status, step.finished_at = SyncStep.Status.SKIPPED, database_now()
    step.reason, step.detail = error.reason, error.detail
    step.save()


def _stop_for_person(step: SyncStep, error: UpstreamError) -> None:
    """Leave the run open and the connection in error until its key is replaced; or do without one report."""
    spec, connection = REPORT_SPECS[step.report_name], states.hold(step.run.connection)
    if absent.is_refused(step, error):
        was_bill = connection.cost_source == spec.name
        now = database_now()
        instead = reports.refuse(connection, spec, error, now.date())
        if spec.name in attribution.MATTERS:
            reports.share_out(connection, now)
        if instead or not was_bill:
            _do_without(step, error, instead)
            return
    SyncRun.objects.filter(pk=step.run_id).update(reason=error.reason, detail=error.detail)
    if connection.status != Status.PAUSED:
        states.break_down(connection, error, now=database_now())


def _do_without(step: SyncStep, error: UpstreamError, instead: Sequence[ReportSpec]) -> None:
    """Close every window of a refused report, and add those of what is read in its place."""
    _skip(step, error)
    others = SyncStep.objects.filter(
        run_id=step.run_id, report_name=step.report_name, status=SyncStep.Status.QUEUED
    )
    others.update(status=SyncStep.Status.SKIPPED, finished_at=database_now(), reason=error.reason)
    run = SyncRun.objects.select_related("connection__account", "lane").get(pk=step.run_id)
    runs.extend(run, instead)
    step.run = run
    SyncRun.objects.filter(pk=run.pk).update(claims_since_progress=0)
    close_run_if_done(step, database_now())
