"""What a connection's card says: its state, how fresh it is, what runs and what happens next. Reads only."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from costs.coverage import NOTHING_STORED, Span, spans
from dashboard import figures
from dashboard.enum_labels import capability_words, origin_words, trigger_words
from integrations.models import Connection, Status
from workers import lanes, reports, runs
from workers.bucket import Bucket, BucketUnavailableError, rate_of
from workers.models import Page, SyncRun, Trigger
from workers.runs import Progress

_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing a key can or cannot see; `ok` None: not tried yet."""

    name: str
    ok: bool | None
    detail: str


def capabilities(connection: Connection) -> list[Capability]:
    """Return what the stored key can see: what the last probe found, and of what it did not try, what syncs found since."""
    reports = {report.report_name: report for report in connection.reports.all()}
    found = []
    for each in connection.capabilities:
        ok, detail = each["ok"], each.get("detail", "")
        report = reports.get(each["name"])
        if ok is None and report is not None and (report.is_refused or report.read_at):
            ok, detail = not report.is_refused, report.detail if report.is_refused else ""
        found.append(Capability(capability_words(each["name"]), ok, detail))
    return found


@dataclass(frozen=True, slots=True)
class Card:
    """One connection as people see it at `now`."""

    connection: Connection
    coverage: Span
    open_runs: Sequence[SyncRun]
    progress: Progress | None
    now: dt.datetime

    @property
    def origin(self) -> str:
        """Where the spend comes from, in words."""
        return origin_words(self.connection.origin)

    @property
    def is_paused(self) -> bool:
        """True while nothing is fetched because somebody said so."""
        return self.connection.status == Status.PAUSED

    @property
    def can_sync(self) -> bool:
        """False where a force sync would be refused."""
        return self.connection.status not in {Status.PAUSED, Status.ERROR}

    @property
    def is_moving(self) -> bool:
        """True while a run may change what the card says, so that it is worth looking again."""
        return bool(self.open_runs) and self.can_sync

    @property
    def under_way(self) -> list[str]:
        """What runs or waits, in words, each once: a connection is read through several doors at a time."""
        words = [
            f"{trigger_words(run.trigger)}{' (queued)' if run.status == SyncRun.Status.QUEUED else ''}"
            for run in self.open_runs
        ]
        return list(dict.fromkeys(words))

    @property
    def next_attempt_at(self) -> dt.datetime | None:
        """When an open run is tried next; None when nothing waits, or only a person can move it."""
        waiting = [moment for run in self.open_runs if (moment := runs.next_attempt_at(run))]
        return min(waiting, default=None)

    @property
    def waits(self) -> bool:
        """True when the next attempt is far enough away to be worth a word."""
        return self.next_attempt_at is not None and self.next_attempt_at > self.now + dt.timedelta(seconds=2)

    @property
    def requests_left(self) -> int:
        """Requests the open runs still need, at one page a window."""
        return sum(run.steps_total - run.steps_done for run in self.open_runs)

    @property
    def percent(self) -> int:
        """How much of the backfill is stored."""
        if self.progress is None or not self.progress.days_total:
            return 0
        return self.progress.days_done * _PERCENT // self.progress.days_total

    @property
    def time_left(self) -> str:
        """The estimated rest of the backfill; empty when it stands still."""
        if self.progress is None or self.progress.eta_at is None:
            return ""
        return figures.duration((self.progress.eta_at - self.now).total_seconds())


def cards(connections: Sequence[Connection], now: dt.datetime) -> list[Card]:
    """Return the cards of connections; two queries, and a few for each running backfill."""
    ids = [connection.pk for connection in connections]
    coverage = spans(ids)
    open_runs: defaultdict[object, list[SyncRun]] = defaultdict(list)
    found = SyncRun.objects.filter(connection_id__in=ids, status__in=SyncRun.ACTIVE)
    for run in found.select_related("lane", "connection").order_by("priority", "requested_at"):
        open_runs[run.connection_id].append(run)
    return [
        Card(
            connection,
            coverage.get(connection.pk, NOTHING_STORED),
            open_runs[connection.pk],
            _progress(connection, open_runs[connection.pk], now),
            now,
        )
        for connection in connections
    ]


def card(connection: Connection, now: dt.datetime) -> Card:
    """Return the card of one connection."""
    return cards([connection], now)[0]


def _progress(connection: Connection, open_runs: Sequence[SyncRun], now: dt.datetime) -> Progress | None:
    if any(run.trigger == Trigger.CONNECT for run in open_runs):
        return runs.backfill_progress(connection, now=now)
    return None


@dataclass(frozen=True, slots=True)
class Budget:
    """
    What may be asked of Anthropic right now for one organisation, by everybody here together.

    Shape:   `used_last_hour` are the answers that this account's connections of the organisation got
    """

    used_last_hour: int
    requests: int
    capacity: int
    seconds_per_request: str
    blocked_for: str


def budget(connection: Connection) -> Budget | None:
    """Return the state of the organisation's request bucket; None while Redis does not answer."""
    family = reports.families(connection)[0]
    owner = lanes.owner_key(connection.organization_id, family)
    rate = rate_of(family)
    try:
        state = Bucket(owner, rate).peek(lanes.seed_of(connection.organization_id, family))
    except BucketUnavailableError:
        return None
    return Budget(
        used_last_hour=_used(connection, timezone.now() - dt.timedelta(hours=1)),
        requests=max(0, state.level_us // rate.interval_us),
        capacity=rate.capacity,
        seconds_per_request=figures.duration(rate.interval_us / 1_000_000),
        blocked_for=figures.duration(state.blocked_seconds) if state.blocked_seconds else "",
    )


def _used(connection: Connection, since: dt.datetime) -> int:
    """Count the archived answers of an organisation since a moment, of this account's connections alone."""
    own = Page.objects.filter(
        step__run__connection__account_id=connection.account_id,
        step__run__connection__organization_id=connection.organization_id,
        requested_at__gte=since,
    )
    return own.count()
