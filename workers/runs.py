"""Runs: why something is fetched. Create them once, plan their steps, say how far they are."""

import datetime as dt
import functools
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Case, F, Max, Q, QuerySet, When
from django.db.models.functions import Coalesce, Now

from costs import freshness
from foundation.periods import DayRange
from integrations import connections
from integrations.anthropic.report_specs import REPORT_SPECS, ReportSpec
from integrations.models import Connection, Report, Status
from workers import lanes, reports, states
from workers.bucket import Bucket, BucketUnavailableError, rate_of
from workers.clock import database_now
from workers.models import PRIORITY, Lane, SyncRun, SyncStep, Trigger

# The runs that read the bill itself, one a trigger; the others belong to further families of the same connection.
OF_THE_BILL = functools.reduce(
    operator.or_,
    (Q(connection__origin=origin, lane__family=family) for origin, family in reports.FIRST_FAMILY.items()),
)
# What a request takes when no token has to be waited for; only the estimate of the end uses it.
_REQUEST_SECONDS = 1.0
# How long forced and daily syncs may go before a run without getting it one request in between.
_PATIENCE = dt.timedelta(minutes=10)
# A window of so many pages lets the others of its urgency go first: it may have no end. At their rates that is less than
# a minute of the analytics reports; the classic ones put a window on one page.
_MANY_PAGES, _MANY_CLASSIC_PAGES = 40, 5


def backfill_range(connection: Connection, today: dt.date) -> DayRange:
    """Return the days a new connection is filled with: the plan's depth up to and including today."""
    return DayRange(today - dt.timedelta(days=connection.backfill_days), today + dt.timedelta(days=1))


def trailing_range(
    connection: Connection, today: dt.date, *, with_today: bool, is_backfilling: bool
) -> DayRange:
    """
    Return the days an ordinary sync reads: the trailing days, and everything not settled before them.

    The second part heals what a pause, a broken key, a failed window or a stopped service left open. While the
    first backfill still runs, that is its work.
    """
    start = today - dt.timedelta(days=freshness.reread_days(connection.origin))
    if not is_backfilling:
        settled = connection.settled_through
        open_since = settled + dt.timedelta(days=1) if settled else connection.wanted_from
        start = min(start, open_since)
    return DayRange(start, today + dt.timedelta(days=int(with_today)))


def find_backfill(connection: Connection) -> SyncRun | None:
    """Return a backfill of the connection that goes on, of whichever family."""
    return states.filling(connection).first()


def _open_runs(connection: Connection, trigger: Trigger) -> QuerySet[SyncRun]:
    runs = SyncRun.objects.filter(connection=connection, trigger=trigger, status__in=SyncRun.ACTIVE)
    return runs.order_by("requested_at")


def request_run(
    connection: Connection, trigger: Trigger, days: DayRange, *, requested_by: str
) -> tuple[SyncRun, bool]:
    """
    Create a run for each API family of the connection and make its lanes due; or return what covers it already.

    Shape:   (the run with the bill, whether it is new); the other families' runs follow it
    Key:     one open run per connection, family, trigger and range, whoever asks how often
    Effects: run, step, report and lane rows; nothing is published, the dispatcher finds the lanes
    """
    with transaction.atomic():
        # Everybody who creates runs of an organisation comes through these locks, so looking first is enough.
        held = lanes.ensure_and_hold(connection.organization_id, reports.families(connection))
        requested = [_request(connection, lane, trigger, days, requested_by) for lane in held]
    return requested[0]


def _request(
    connection: Connection, lane: Lane, trigger: Trigger, days: DayRange, requested_by: str
) -> tuple[SyncRun, bool]:
    covering = _open_runs(connection, trigger).filter(
        lane=lane, from_day__lte=days.start, to_day__gte=days.end
    )
    found = covering.first()
    if found:
        if trigger == Trigger.FORCE:
            _read_bill_again(found, days)
        return found, False
    run = SyncRun.objects.create(
        connection=connection,
        lane=lane,
        trigger=trigger,
        from_day=days.start,
        to_day=days.end,
        priority=PRIORITY[trigger],
        requested_by=requested_by,
    )
    plan(run)
    lanes.make_due(lane.pk)
    return run, True


def _read_bill_again(run: SyncRun, days: DayRange) -> None:
    """
    Ask for the bill of a forced sync anew that was read long ago, while other reports of the run still wait.

    Who asks again wants the bill of today, not of when a report began to be in trouble; who asks without end must not
    keep the other reports from being read.
    """
    bill = run.steps.filter(report_name=run.connection.cost_source)
    is_fresh = Q(status=SyncStep.Status.QUEUED) | Q(finished_at__gt=Now() - _PATIENCE)
    if run.steps_total and bill.exists() and not bill.filter(is_fresh).exists():
        extend(run, [REPORT_SPECS[run.connection.cost_source]], days)
        lanes.make_due(run.lane_id)


def plan(run: SyncRun) -> None:
    """
    Write the run's steps, each one window of one report; a run that has nothing to read is done at once.

    The newest month is what people look at first, and names make it readable; older months can wait, and what
    is read day by day waits for all of them. In what order they are asked for in the end, see `open_steps`.
    """
    today = database_now().date()
    days = DayRange(run.from_day, run.to_day)
    ordered = _in_order(
        (spec, window)
        for spec, report in reports.readable(run.connection, run.lane.family, today)
        for window in _windows(run, spec, report, days)
    )
    SyncStep.objects.bulk_create(
        SyncStep(run=run, position=n, report_name=spec.name, window_start=window.start, window_end=window.end)
        for n, (spec, window) in enumerate(ordered)
    )
    run.steps_total = len(ordered)
    if not ordered:
        run.status, run.finished_at = SyncRun.Status.SUCCEEDED, database_now()
    run.save(update_fields=["steps_total", "status", "finished_at"])


def extend(run: SyncRun, specs: Sequence[ReportSpec], days: DayRange | None = None) -> None:
    """Add windows to a run: of the reports read instead of one that was just refused, or of some days once more."""
    days = days or DayRange(run.from_day, run.to_day)
    known = {report.report_name: report for report in run.connection.reports.all()}
    steps = [
        SyncStep(run=run, position=run.steps_total + n, report_name=spec.name,
                 window_start=window.start, window_end=window.end)
        for n, (spec, window) in enumerate(
            _in_order((each, window) for each in specs for window in _windows(run, each, known[each.name], days))
        )
    ]  # fmt: skip
    SyncStep.objects.bulk_create(steps)
    run.steps_total += len(steps)
    run.save(update_fields=["steps_total"])


def split(step: SyncStep) -> bool:
    """
    Leave the step the newer half of its days and give the older ones to a new step at the end; False for a single day.

    Effects: a step; the caller holds the lane and saves the step it gave
    """
    half = (step.window_end - step.window_start) // 2
    if REPORT_SPECS[step.report_name].max_window_days is None or not half.days:
        return False
    run, middle = step.run, step.window_start + half
    SyncStep.objects.create(
        run=run, position=run.steps_total, report_name=step.report_name, window_start=step.window_start,
        window_end=middle, attempt=step.attempt, failures=step.failures,
    )  # fmt: skip
    step.window_start = middle
    run.steps_total += 1
    run.save(update_fields=["steps_total"])
    return True


# What comes first among windows that end together; names have no window and follow the newest bill.
_RANKS = {"cost": 0, "names": 1, "usage": 2, "activity": 3}


def _in_order(windows: Iterable[tuple[ReportSpec, DayRange]]) -> list[tuple[ReportSpec, DayRange]]:
    def urgency(item: tuple[ReportSpec, DayRange]) -> tuple[bool, int, int]:
        spec, window = item
        return spec.kind == "activity", -window.end.toordinal(), _RANKS[spec.kind]

    return sorted(windows, key=urgency)


def _windows(run: SyncRun, spec: ReportSpec, report: Report, days: DayRange) -> list[DayRange]:
    if spec.max_window_days is None:
        return [days]
    wanted = reports.window_of(
        spec, report, days, database_now().date(), by_person=run.trigger == Trigger.FORCE
    )
    if wanted is None:
        return []
    windows = wanted.split_newest_first(spec.max_window_days)
    # A scheduled sync that reaches back to heal a gap passes over the settled months in between; what costs a
    # request a day is never asked for again once it is final.
    if run.trigger in {Trigger.DAILY, Trigger.REREAD} or spec.kind == "activity":
        return [each for each in windows if freshness.unsettled_days(run.connection_id, spec.name, each)]
    return list(windows)


def unplanned(lane_id: int) -> QuerySet[SyncRun]:
    """Return the lane's open runs that the schedule created without steps."""
    return SyncRun.objects.filter(lane_id=lane_id, status__in=SyncRun.ACTIVE, steps_total=0)


def plan_missing(lane_id: int) -> None:
    """Plan the lane's runs that have no steps yet; call with the lane locked."""
    for run in unplanned(lane_id).select_related("connection", "lane"):
        plan(run)


def ready_steps(lane_id: int) -> QuerySet[SyncStep]:
    """Return those of `open_steps` that do not wait for a backoff of their own."""
    return open_steps(lane_id).filter(Q(not_before__isnull=True) | Q(not_before__lte=Now()))


def ready_bill(lane_id: int) -> QuerySet[SyncStep]:
    """Return those of `ready_steps` that read the bill of their connection."""
    return ready_steps(lane_id).filter(report_name=F("run__connection__cost_source"))


def open_steps(lane_id: int) -> QuerySet[SyncStep]:
    """
    Return the lane's steps that can be done without a person, the most urgent first.

    Steps of a run that is starved (`starved_since`) go before all others, of several such runs those of the one
    that has waited longest: docs/adr/0011-nobody-waits-for-ever.md.

    Among runs of one priority the bill goes first, of whichever connection; only a backfill fills month by month, with
    all that makes a month readable. A report in trouble beside the bill is tried when nothing else is left to do.
    """
    is_side = ~Q(report_name=F("run__connection__cost_source"))
    is_long = Q(pages_read__gte=_MANY_PAGES) | Q(
        run__lane__family="classic", pages_read__gte=_MANY_CLASSIC_PAGES
    )
    behind = Case(
        When(is_long, then=3),
        When(is_side & Q(failures__gt=0), then=2),
        When(is_side & ~Q(run__trigger=Trigger.CONNECT), then=1),
        default=0,
    )
    is_starved = Q(served_at__lt=Now() - _PATIENCE)
    return (
        SyncStep.objects.select_related("run__connection__account", "run__lane")
        .filter(
            run__lane_id=lane_id,
            run__status__in=SyncRun.ACTIVE,
            run__connection__disconnected_at__isnull=True,
            status=SyncStep.Status.QUEUED,
        )
        .exclude(run__connection__status__in=states.STANDING)
        .alias(served_at=Coalesce("run__last_request_at", "run__requested_at"))
        .annotate(starved_since=Case(When(is_starved, then=F("served_at"))))
        .order_by(
            F("starved_since").asc(nulls_last=True),
            F("run__priority") + behind,
            "run__requested_at",
            "position",
        )
    )


def is_starved(step: SyncStep) -> bool:
    """Say whether the run of a step of `open_steps` had no request for so long that it goes before what is more urgent."""
    return getattr(step, "starved_since", None) is not None


def cancel_open(connection: Connection, *, now: dt.datetime) -> int:
    """Cancel every open run of the connection; a request in flight will find its step closed."""
    open_runs = SyncRun.objects.filter(connection=connection, status__in=SyncRun.ACTIVE)
    return open_runs.update(status=SyncRun.Status.CANCELLED, finished_at=now)


def cancel(run: SyncRun, *, now: dt.datetime) -> bool:
    """
    Cancel this run only; False when it had ended already.

    The lane is locked first: a worker in the middle of a write finishes before, or finds the run closed.
    """
    with transaction.atomic():
        lanes.hold(run.connection.organization_id, [run.lane.family])
        open_run = SyncRun.objects.filter(pk=run.pk, status__in=SyncRun.ACTIVE)
        if not open_run.update(status=SyncRun.Status.CANCELLED, finished_at=now):
            return False
        connection = states.hold(run.connection)
        if connection.status == Status.BACKFILLING:
            # Nothing is being filled any more; without a run, nobody else would say so.
            connections.set_state(connection, states.working_status(connection))
    return True


def next_attempt_at(run: SyncRun) -> dt.datetime | None:
    """Return when the run's lane is tried next; None for a closed run or one that only a person can move."""
    if run.status not in SyncRun.ACTIVE or run.connection.status in states.STANDING:
        return None
    return run.lane.due_at if run.lane.state == Lane.State.WAITING else None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the backfill of a connection is."""

    days_total: int
    days_done: int
    requests_left: int
    eta_at: dt.datetime | None


def backfill_progress(connection: Connection, *, now: dt.datetime) -> Progress | None:
    """
    Return the progress of the latest backfill, with an end estimated from the buckets' real state.

    Shape:   None when there never was one; eta_at is None when it is done or stands still
    Units:   days of the bill; requests over all families, at one page a window
    """
    filling = SyncRun.objects.filter(connection=connection, trigger=Trigger.CONNECT).select_related("lane")
    first = reports.families(connection)[0]
    run = filling.filter(lane__family=first).first()
    if run is None:
        return None
    days_done = sum(
        (end - start).days
        for start, end in run.steps.filter(
            status=SyncStep.Status.DONE, report_name=connection.cost_source
        ).values_list("window_start", "window_end")
    )
    queued = {
        each: each.steps.filter(status=SyncStep.Status.QUEUED).count()
        for each in filling.filter(status__in=SyncRun.ACTIVE)
    }
    left = sum(queued.values())
    standing = connection.status in states.STANDING or not left
    seconds = max((_seconds_for(each, count) for each, count in queued.items() if count), default=0.0)
    eta = None if standing else now + dt.timedelta(seconds=seconds)
    return Progress(days_of_bill(run, _bill_begins(connection)), days_done, left, eta)


def _bill_begins(connection: Connection) -> dt.date | None:
    bill = connection.reports.filter(report_name=connection.cost_source)
    return bill.values_list("wanted_from", flat=True).first()


def days_of_bill(run: SyncRun, begins: dt.date | None) -> int:
    """Return how many days of a backfill the bill can have: none before its report begins."""
    first = max(run.from_day, begins or run.from_day)
    return max(0, (run.to_day - first).days)


def _seconds_for(run: SyncRun, left: int) -> float:
    """Estimate the time until the run's last request, behind everything more urgent in its lane."""
    ahead = SyncStep.objects.filter(
        run__lane_id=run.lane_id,
        run__status__in=SyncRun.ACTIVE,
        run__priority__lt=run.priority,
        status=SyncStep.Status.QUEUED,
    ).count()
    requests = left + ahead
    rate = rate_of(run.lane.family)
    bucket = Bucket(lanes.owner_key(run.lane.organization_id, run.lane.family), rate)
    seed = lanes.seed_of(run.lane.organization_id, run.lane.family)
    try:
        state = bucket.peek(seed)
        level_us, blocked = state.level_us - state.reserved_us, state.blocked_seconds
    except BucketUnavailableError:
        level_us, blocked = seed.level_us, seed.blocked_us / 1_000_000
    # What a connection test needs is left, and so has to be earned once.
    short_us = max(0, (requests + rate.spared) * rate.interval_us - level_us)
    # Windows that are tried again later, and the lane when upstream does not answer: none ends before its wait is over.
    waits = [run.steps.filter(status=SyncStep.Status.QUEUED).aggregate(last=Max("not_before"))["last"]]
    waits += [run.lane.due_at] if run.failures else []
    now = database_now()
    backoff = max(((moment - now).total_seconds() for moment in waits if moment), default=0.0)
    return max(
        requests * _REQUEST_SECONDS,
        short_us / 1_000_000 + _REQUEST_SECONDS,
        blocked + _REQUEST_SECONDS,
        backoff + _REQUEST_SECONDS,
    )
