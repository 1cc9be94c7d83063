"""What an explorer page shows for one state: figures, chart, table, movers and what is to be said about them.

Reads through the selectors only, adds exactly, and holds no word of markup.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from costs import selectors
from costs.caveats import Caveats, list_caveats
from costs.forecast import LOOK_BACK_DAYS, Forecast, forecast_month
from costs.freshness import summarise_days
from costs.money import sum_usd
from costs.movers import Movement, SeriesCell, read_series
from costs.periods import DayRange
from dashboard import figures, naming
from dashboard.chart import Bucket, Canvas, Chart, draw
from dashboard.explore import table
from dashboard.explore.ground import Ground, Subject, prepare
from dashboard.explore.state import State
from dashboard.explore.table import Layout, Table
from dashboard.figures import Change
from dashboard.ranges import CUSTOM, Period

if TYPE_CHECKING:
    from costs.selectors import Key

_DAY = dt.timedelta(days=1)


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
    caveats: Caveats
    notes: list[str]
    ground: Ground

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


def read_report(subject: Subject, *, with_forecast: bool = True, most: int = table.MOST_ROWS) -> Report:
    """
    Read one state of an account.

    Shape:   `most` groups have a line of their own unless the state asks for all
    Units:   USD, exact; chart and table add up to the total
    Effects: at most a dozen queries, however many connections, groups and days
    """
    ground = prepare(subject)
    state, period = ground.state, ground.period
    cells = read_series(ground.query, ground.before, group_by=state.group_by, granularity=state.step(period))
    caveats = list_caveats(
        subject.account_id, period.days, today=subject.today, connections=state.connections
    )
    chart = _chart(ground, cells, caveats)
    built = table.build(_gathered(cells), _layout(ground, chart, most))
    return Report(
        state=state,
        period=period,
        total=built.total.amount,
        change=built.total.change,
        not_compared=ground.not_compared,
        daily_average=figures.mean(built.total.amount, len(period.days)),
        forecast=_forecast(ground, cells) if with_forecast else None,
        chart=chart,
        table=built,
        caveats=caveats,
        notes=_notes(ground, built),
        ground=ground,
    )


def _gathered(cells: Sequence[SeriesCell]) -> list[Movement]:
    by_key: defaultdict[Key, list[SeriesCell]] = defaultdict(list)
    for cell in cells:
        by_key[cell.key].append(cell)
    return [
        Movement(key, sum_usd(cell.now_usd for cell in own), sum_usd(cell.before_usd for cell in own))
        for key, own in by_key.items()
    ]


def _chart(ground: Ground, cells: Sequence[SeriesCell], caveats: Caveats) -> Chart:
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


def _layout(ground: Ground, chart: Chart, most: int) -> Layout:
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


def _forecast(ground: Ground, cells: Sequence[SeriesCell]) -> Forecast | None:
    """Estimate the running month from its stored days and the four weeks before today."""
    subject, state = ground.subject, ground.state
    first = min(subject.today.replace(day=1), subject.today - _DAY * LOOK_BACK_DAYS)
    days = DayRange(first, subject.today)
    shown = ground.period.days
    costs: dict[dt.date | None, Decimal]
    if state.step(ground.period) == "day" and shown.start <= days.start and days.end <= shown.end:
        costs = _by_bucket(cells)  # the days are on the page already: no need to read them twice
    else:
        sums = selectors.summarise(state.query(subject.account_id, days), granularity="day")
        costs = {row.bucket: row.amount_usd for row in sums.rows}
    known = summarise_days(subject.account_id, days, state.connections)
    stored = [day.day for day in known if day.is_stored and not day.is_missing]
    return forecast_month({day: costs.get(day, Decimal(0)) for day in stored}, subject.today)


def _by_bucket(cells: Sequence[SeriesCell]) -> dict[dt.date | None, Decimal]:
    by_bucket: defaultdict[dt.date | None, list[Decimal]] = defaultdict(list)
    for cell in cells:
        by_bucket[cell.bucket].append(cell.now_usd)
    return {bucket: sum_usd(amounts) for bucket, amounts in by_bucket.items()}


def _notes(ground: Ground, built: Table) -> list[str]:
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
