"""What an explorer page shows for one state: figures, chart, table, movers and what is to be said about them.

Reads through the selectors only, adds exactly, and holds no word of markup.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from costs import selectors
from costs.caveats import Caveats, list_caveats
from costs.comparison import earlier_state
from costs.forecast import LOOK_BACK_DAYS, Forecast, forecast_month
from costs.freshness import DayState, summarise_days
from costs.money import sum_usd
from costs.movers import Cause, Movement, Movements, SeriesCell, read_movements, read_series
from costs.periods import DayRange
from costs.selectors import Key
from dashboard import figures, naming
from dashboard.chart import Bucket, Canvas, Chart, draw
from dashboard.explore import table
from dashboard.explore.state import State
from dashboard.explore.table import Layout, Table
from dashboard.figures import Change
from dashboard.naming import Names
from dashboard.ranges import CUSTOM, Period

_DAY = dt.timedelta(days=1)
_MOST_MOVERS = 6
_MOST_ARRIVALS = 5
# What a change is explained by, most telling first; what is grouped by already is left out.
_EXPLAIN_BY = ("api_key_id", "actor_id", "workspace_id", "product", "model", "token_type")
# New and gone ones of these are named: somebody started or stopped something.
_HALF, _WHOLE = 50, 100
_ARRIVING = ("api_key_id", "actor_id")


@dataclass(frozen=True, slots=True)
class Mover:
    """One group that moved, with the part of it that moved most."""

    label: str
    link: str
    slot: str
    change: Change
    cause: str
    cause_change: Change | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A key or person with cost in one of the two ranges only."""

    label: str
    dimension: str
    link: str
    amount: Decimal
    is_new: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page shows; `not_compared` says why there is no comparison where one was asked for."""

    state: State
    period: Period
    total: Decimal
    change: Change | None
    not_compared: str
    daily_average: Decimal
    forecast: Forecast | None
    chart: Chart
    table: Table
    movers: list[Mover]
    arrivals: list[Arrival]
    caveats: Caveats
    notes: list[str]
    moved: Movements | None

    @property
    def without_filters(self) -> str:
        """The address without any filter."""
        return self.state.changed(filters=()).address

    @property
    def all_rows(self) -> str:
        """The address with every group on a line of its own."""
        return self.state.changed(all_rows=True).address

    def day_link(self, bucket: Bucket) -> str:
        """Return the address of the days of one bar; a single day is split further."""
        narrowed = self.state.changed(range=CUSTOM, first=bucket.first, last=bucket.last, granularity="auto")
        return narrowed.address


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose costs of which state, on which day."""

    account_id: UUID
    state: State
    today: dt.date


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the parts of a report share."""

    subject: Subject
    period: Period
    names: Names
    compare: bool

    @property
    def state(self) -> State:
        return self.subject.state

    def label(self, key: Key) -> str:
        return " · ".join(self.labels(key))

    def labels(self, key: Key) -> tuple[str, ...]:
        if not key:
            return ("All costs",)
        pairs = zip(self.state.group_by, key, strict=True)
        return tuple(self.names.label(name, value) for name, value in pairs)

    def drill(self, key: Key) -> str:
        """Return the address of one group: narrowed to it, and split by what usually explains it."""
        pairs = dict(zip(self.state.group_by, key, strict=True))
        if not pairs:
            return self.state.changed(group_by=("model",)).address
        first = self.state.group_by[0]
        taken = [*pairs, *dict(self.state.filters)]
        # Costs without a model are told apart by what they are instead.
        by = "cost_type" if pairs.get("model", "") is None else naming.next_dimension(first, taken)
        return self.state.narrowed(pairs).changed(group_by=(by,) if by else ()).address


def read_report(
    subject: Subject, *, explain: bool = True, also_by: Sequence[str] = (), most: int = table.MOST_ROWS
) -> Report:
    """
    Read one state of an account.

    Shape:   `explain` False leaves out movers, arrivals and the forecast; `moved` can be gathered by the
             dimensions of `also_by` too; `most` groups have a line of their own unless all are asked for
    Units:   USD, exact; chart and table add up to the total
    Effects: at most a dozen queries, however many connections, groups and days
    """
    state, account_id = subject.state, subject.account_id
    period = state.period(subject.today)
    not_compared = _why_not_compared(subject, period) if state.compare == "previous" else ""
    compare = state.compare == "previous" and not not_compared
    explain_by = (
        tuple(name for name in _EXPLAIN_BY if name not in state.group_by) if compare and explain else ()
    )
    names = naming.names(account_id, [*state.group_by, *explain_by, *dict(state.filters)])
    ground = _Ground(subject, period, names, compare)
    # An empty range before compares with nothing.
    before = period.previous if compare else DayRange(period.days.start, period.days.start)
    query = state.query(account_id, period.days)
    cells = read_series(query, before, group_by=state.group_by, granularity=state.step(period))
    wanted = (*explain_by, *also_by)
    moved = read_movements(query, before, [*state.group_by, *wanted]) if wanted else None
    caveats = list_caveats(account_id, period.days, today=subject.today, connections=state.connections)
    chart = _chart(ground, cells, caveats)
    built = table.build(_gathered(cells), _layout(ground, chart, most))
    return Report(
        state=state,
        period=period,
        total=built.total.amount,
        change=built.total.change,
        not_compared=not_compared,
        daily_average=figures.mean(built.total.amount, len(period.days)),
        forecast=_forecast(subject) if explain else None,
        chart=chart,
        table=built,
        movers=_movers(ground, moved, chart) if moved and explain_by else [],
        arrivals=_arrivals(ground, moved) if moved and explain_by else [],
        caveats=caveats,
        notes=_notes(ground, built),
        moved=moved,
    )


def _gathered(cells: Sequence[SeriesCell]) -> list[Movement]:
    by_key: defaultdict[Key, list[SeriesCell]] = defaultdict(list)
    for cell in cells:
        by_key[cell.key].append(cell)
    return [
        Movement(key, sum_usd(cell.now_usd for cell in own), sum_usd(cell.before_usd for cell in own))
        for key, own in by_key.items()
    ]


def _why_not_compared(subject: Subject, period: Period) -> str:
    """Say why a comparison would mislead: not every earlier day is stored for every connection."""
    state = earlier_state(subject.account_id, period.previous, subject.state.connections)
    if state is not DayState.MISSING:
        return ""
    span = figures.days(period.previous.start, period.previous.end - _DAY)
    return f"No comparison: not every day of {span} is stored."


def _chart(ground: _Ground, cells: Sequence[SeriesCell], caveats: Caveats) -> Chart:
    state, period = ground.state, ground.period
    by = " and ".join(naming.dimension(name).lower() for name in state.group_by)
    canvas = Canvas(
        days=period.days,
        granularity=state.step(period),
        provisional=frozenset(caveats.provisional),
        subject=f"cost by {by}" if by else "cost",
        cumulative=state.is_cumulative,
    )
    # Earlier days without a counterpart count in the table; there is no place for them in the chart.
    placed = [(cell.bucket, cell) for cell in cells if cell.bucket is not None]
    amounts = {(bucket, cell.key): cell.now_usd for bucket, cell in placed}
    return draw(amounts, canvas, ground.label, _earlier(placed) if ground.compare else None)


def _earlier(placed: Sequence[tuple[dt.date, SeriesCell]]) -> dict[dt.date, Decimal]:
    earlier: defaultdict[dt.date, list[Decimal]] = defaultdict(list)
    for bucket, cell in placed:
        earlier[bucket].append(cell.before_usd)
    return {bucket: sum_usd(amounts) for bucket, amounts in earlier.items()}


def _layout(ground: _Ground, chart: Chart, most: int) -> Layout:
    state = ground.state
    return Layout(
        heads=tuple(naming.dimension(name) for name in state.group_by) or ("Costs",),
        label=ground.labels,
        slots=chart.slots,
        link=ground.drill,
        compare=ground.compare,
        sort=state.sort,
        most=table.ALL_ROWS if state.all_rows else most,
    )


def _movers(ground: _Ground, moved: Movements, chart: Chart) -> list[Mover]:
    """List the groups that changed most, by amount, in either direction."""
    group_by = ground.state.group_by
    if not group_by:
        return []
    ranked = sorted(moved.by(group_by), key=lambda each: -each.difference_usd.copy_abs())
    causes = moved.causes(group_by, _EXPLAIN_BY)
    return [
        _mover(ground, each, causes.get(each.key), chart.slots.get(each.key, "other"))
        for each in ranked[:_MOST_MOVERS]
        if each.difference_usd
    ]


def _mover(ground: _Ground, movement: Movement, cause: Cause | None, slot: str) -> Mover:
    words = ""
    if cause is not None:
        name = ground.names.label(cause.dimension, cause.value)
        part = figures.share(cause.difference_usd, movement.difference_usd)
        # Others may have moved the other way, so that one part is more than the whole.
        how = "all" if part >= _WHOLE else "mostly" if part >= _HALF else "partly"
        words = f"{how} {naming.dimension(cause.dimension).lower()} {name}"
    return Mover(
        label=ground.label(movement.key),
        link=ground.drill(movement.key),
        slot=slot,
        change=Change(movement.now_usd, movement.before_usd),
        cause=words,
        cause_change=Change(cause.difference_usd, Decimal(0)) if cause else None,
    )


def _arrivals(ground: _Ground, moved: Movements) -> list[Arrival]:
    """List keys and people with cost in one of the two ranges only, the most expensive first."""
    found = []
    for name in _ARRIVING:
        if name not in moved.dimensions:
            continue
        for each in moved.by((name,)):
            if each.key[0] is not None and bool(each.now_usd) != bool(each.before_usd):
                link = ground.state.narrowed({name: each.key[0]}).address
                label = ground.names.label(name, each.key[0])
                amount = each.now_usd or each.before_usd
                found.append(Arrival(label, naming.dimension(name), link, amount, bool(each.now_usd)))
    return sorted(found, key=lambda each: -each.amount)[:_MOST_ARRIVALS]


def _forecast(subject: Subject) -> Forecast | None:
    """Estimate the running month from its stored days and the four weeks before today."""
    days = DayRange(min(subject.today.replace(day=1), subject.today - _DAY * LOOK_BACK_DAYS), subject.today)
    known = summarise_days(subject.account_id, days, subject.state.connections)
    sums = selectors.summarise(subject.state.query(subject.account_id, days), granularity="day")
    costs = {row.bucket: row.amount_usd for row in sums.rows}
    stored = [day.day for day in known if day.is_stored and not day.is_missing]
    return forecast_month({day: costs.get(day, Decimal(0)) for day in stored}, subject.today)


def _notes(ground: _Ground, built: Table) -> list[str]:
    """Say where a grouping cannot say what it seems to say."""
    notes = []
    for place, name in enumerate(ground.state.group_by):
        keys: Sequence[Key] = [row.key for row in built.rows if row.key]
        if keys and all(key[place] in {None, ""} for key in keys):
            notes.append(
                f"Nothing in this range has a value for {naming.dimension(name).lower()}: the reports that are "
                "read do not tell it apart."
            )
    return notes
