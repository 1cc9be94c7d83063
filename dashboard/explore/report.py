"""What an explorer page shows for one state: figures, chart, table, movers and what is to be said about them.

Reads through the selectors only, adds exactly, and holds no word of markup.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from costs import selectors, usage
from costs.caveats import Caveats, list_caveats
from costs.coverage import read_coverage
from costs.forecast import LOOK_BACK_DAYS, Forecast, forecast_month
from costs.read_snapshots import read_snapshot
from costs.selectors import Granularity, Key
from costs.variance import GroupDelta, SeriesCell, read_series
from dashboard import figures, labels
from dashboard.chart import Amounts, Bucket, Canvas, Chart, draw, split
from dashboard.explore import table
from dashboard.explore.notes import list_notes
from dashboard.explore.report_context import ReportContext, ReportRequest, prepare, scope_of, why_no_tokens
from dashboard.explore.state import State
from dashboard.explore.table import Layout, Table
from dashboard.figures import Change
from dashboard.ranges import CUSTOM, Period
from foundation.money import sum_usd
from foundation.periods import DayRange

_DAY = dt.timedelta(days=1)
_PER_MILLION: Final = "usd_per_million"


@dataclass(frozen=True, slots=True)
class Known:
    """A total as it was known on an earlier day, beside the one of now; `change` None: nothing was known then."""

    day: dt.date
    now: Decimal
    change: Change | None


@dataclass(frozen=True, slots=True)
class Report:
    """
    Everything the page shows.

    Shape:   `not_compared` says why there is no comparison where one was asked for; `known` is there when the
             state asks for what was known on a day; `total` is None when no day is stored, `daily_average` when one
             is missing or was not read to its end; `is_rate`: dollars per million tokens are drawn, not dollars
    """

    state: State
    period: Period
    total: Decimal | None
    change: Change | None
    not_compared: str
    daily_average: Decimal | None
    forecast: Forecast | None
    chart: Chart
    table: Table
    caveats: Caveats
    notes: list[str]
    context: ReportContext
    known: Known | None
    is_rate: bool

    @property
    def groups_title(self) -> str:
        """What the table is of."""
        return f"By {_and(self.state.group_by)}" if self.state.group_by else "In total"

    @property
    def as_known_now(self) -> str:
        """The address of the same as it is known now."""
        return self.state.changed(as_of=None).address

    @property
    def as_cost(self) -> str:
        """The address of the same in dollars."""
        return self.state.changed(metric="cost").address

    @property
    def as_tokens(self) -> str:
        """The address of the same in tokens."""
        return self.state.changed(metric="tokens").address

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


@read_snapshot()
def read_report(
    subject: ReportRequest,
    *,
    with_forecast: bool = True,
    most: int = table.MOST_ROWS,
    all_rows: int = table.ALL_ROWS,
) -> Report:
    """
    Read one state of an account.

    Shape:   `most` groups have a line of their own, `all_rows` where the state asks for all
    Units:   USD, exact; chart and table add up to the total
    Effects: at most a dozen queries, however many connections, groups and days
    """
    context = prepare(subject)
    state, period = context.state, context.period
    cells = read_series(
        context.query, context.before, group_by=state.group_by, granularity=state.step(period)
    )
    movements = _gathered(cells)
    tokens = _read_tokens(context)
    caveats = list_caveats(context.covered)
    drawn = _Drawn(context, cells, caveats, table.rank(movements))
    is_rate = state.metric == _PER_MILLION and tokens is not None
    chart = _rates(drawn, tokens or {}) if is_rate else _chart(drawn)
    lines = all_rows if state.all_rows else most
    built = table.build(
        movements, _layout(context, chart, None if tokens is None else _by_key(tokens), lines)
    )
    total = built.total.amount if caveats.is_stored else None
    return Report(
        state=state,
        period=period,
        total=total,
        change=built.total.change,
        not_compared=context.not_compared,
        daily_average=(
            figures.mean(built.total.amount, len(period.days)) if context.covered.is_whole else None
        ),
        forecast=_forecast(context, cells) if with_forecast and not state.as_of and not is_rate else None,
        chart=chart,
        table=built,
        caveats=caveats,
        notes=list_notes(context, built, caveats),
        context=context,
        known=_known(context, total),
        is_rate=is_rate,
    )


def _known(context: ReportContext, total: Decimal | None) -> Known | None:
    """Compare a total as it was known on a day with the one of now."""
    if context.state.as_of is None:
        return None
    now = selectors.total(replace(context.query, as_of=None))
    return Known(context.state.as_of, now, None if total is None else Change(now, total))


Tokens = Mapping[tuple[dt.date | None, Key], int]


def _read_tokens(context: ReportContext) -> Tokens | None:
    """
    Return the tokens of each group, by bucket where the chart needs them; None where there are none to show.

    Shape:   without buckets every bucket is None
    """
    state = context.state
    if why_no_tokens(context):
        return None
    step: Granularity = state.step(context.period) if state.metric == _PER_MILLION else "total"
    found = usage.summarise(context.query, group_by=state.group_by, granularity=step)
    return {
        (row.bucket, tuple(row.group[name] for name in state.group_by)): row.counts["total_tokens"] or 0
        for row in found.rows
    }


def _by_key(tokens: Tokens) -> dict[Key, int]:
    by_key: defaultdict[Key, int] = defaultdict(int)
    for (_, key), count in tokens.items():
        by_key[key] += count
    return by_key


def _and(names: Sequence[str]) -> str:
    return " and ".join(labels.inline(name) for name in names)


def _gathered(cells: Sequence[SeriesCell]) -> list[GroupDelta]:
    by_key: defaultdict[Key, list[SeriesCell]] = defaultdict(list)
    for cell in cells:
        by_key[cell.key].append(cell)
    return [
        GroupDelta(key, sum_usd(cell.now_usd for cell in own), sum_usd(cell.before_usd for cell in own))
        for key, own in by_key.items()
    ]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a chart is drawn from: the cells of its groups, in the order of the table."""

    context: ReportContext
    cells: Sequence[SeriesCell]
    caveats: Caveats
    ranked: Sequence[Key]

    def canvas(self, what: str) -> Canvas:
        state, period = self.context.state, self.context.period
        by = f" by {_and(state.group_by)}" if state.group_by else ""
        return Canvas(
            days=period.days,
            granularity=state.step(period),
            provisional=frozenset(self.caveats.provisional),
            missing=frozenset(self.caveats.missing),
            stored=self.caveats.coverage.stored_days,
            subject=f"{what}{by}",
        )


def _rates(drawn: _Drawn, tokens: Tokens) -> Chart:
    """
    Draw what a million tokens cost, group by group: rates are not added up, so they are lines beside each other.

    A rate is the amount of some groups by all tokens of them, here as in the table.
    """
    named = {*split(drawn.ranked)[0]}
    priced = {*drawn.ranked}
    costs: defaultdict[tuple[dt.date, Key | None], list[Decimal]] = defaultdict(list)
    used: defaultdict[tuple[dt.date, Key | None], int] = defaultdict(int)
    whole: defaultdict[dt.date, int] = defaultdict(int)
    for cell in drawn.cells:
        if cell.bucket is not None:
            costs[cell.bucket, cell.key if cell.key in named else None].append(cell.now_usd)
    for (bucket, key), count in tokens.items():
        if bucket is not None:
            whole[bucket] += count
            if key in priced:
                used[bucket, key if key in named else None] += count
    totals = {
        bucket: figures.per_million(cost, whole[bucket])
        for bucket, cost in _by_bucket(drawn.cells).items()
        if bucket is not None
    }
    rates = {place: figures.per_million(sum_usd(parts), used[place]) for place, parts in costs.items()}
    canvas = replace(
        drawn.canvas("cost per million tokens"),
        unit=_PER_MILLION,
        stacked=False,
        totals={bucket: rate for bucket, rate in totals.items() if rate is not None},
        whole=figures.per_million(sum_usd(cell.now_usd for cell in drawn.cells), sum(tokens.values())),
    )
    known = {place: rate for place, rate in rates.items() if rate is not None}
    return draw(known, canvas, drawn.context.label, ranked=drawn.ranked)


def _chart(drawn: _Drawn) -> Chart:
    context = drawn.context
    canvas = replace(drawn.canvas("cost"), cumulative=context.state.is_cumulative)
    # Earlier days without a counterpart count in the table; there is no place for them in the chart.
    placed = [(cell.bucket, cell) for cell in drawn.cells if cell.bucket is not None]
    amounts: Amounts = {(bucket, cell.key): cell.now_usd for bucket, cell in placed}
    earlier = _earlier(placed) if context.compare else None
    return draw(amounts, canvas, context.label, earlier, drawn.ranked)


def _earlier(placed: Sequence[tuple[dt.date, SeriesCell]]) -> dict[dt.date, Decimal]:
    earlier: defaultdict[dt.date, list[Decimal]] = defaultdict(list)
    for bucket, cell in placed:
        earlier[bucket].append(cell.before_usd)
    return {bucket: sum_usd(amounts) for bucket, amounts in earlier.items()}


def _layout(context: ReportContext, chart: Chart, tokens: Mapping[Key, int] | None, most: int) -> Layout:
    state = context.state
    return Layout(
        heads=tuple(labels.dimension(name) for name in state.group_by) or ("Costs",),
        label=context.labels,
        slots=chart.slots,
        link=context.drill,
        compare=context.compare,
        has_shares=context.has_shares,
        sort=state.sort,
        most=most,
        tokens=tokens,
    )


def _forecast(context: ReportContext, cells: Sequence[SeriesCell]) -> Forecast | None:
    """Estimate the running month from its stored days and the four weeks before today."""
    subject, state = context.subject, context.state
    first = min(subject.today.replace(day=1), subject.today - _DAY * LOOK_BACK_DAYS)
    days = DayRange(first, subject.today)
    shown = context.period.days
    costs: dict[dt.date | None, Decimal]
    if state.step(context.period) == "day" and shown.start <= days.start and days.end <= shown.end:
        costs = _by_bucket(cells)  # the days are on the page already: no need to read them twice
    else:
        sums = selectors.summarise(state.query(subject.account_id, days), granularity="day")
        costs = {row.bucket: row.amount_usd for row in sums.rows}
    covered = read_coverage(scope_of(subject, days))
    stored = [day.day for day in covered.days if day.is_stored and not day.is_missing]
    return forecast_month({day: costs.get(day, Decimal(0)) for day in stored}, subject.today)


def _by_bucket(cells: Sequence[SeriesCell]) -> dict[dt.date | None, Decimal]:
    by_bucket: defaultdict[dt.date | None, list[Decimal]] = defaultdict(list)
    for cell in cells:
        by_bucket[cell.bucket].append(cell.now_usd)
    return {bucket: sum_usd(amounts) for bucket, amounts in by_bucket.items()}
