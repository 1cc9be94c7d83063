"""What the Overview says about a period: figures, chart and tables. Reads through the selectors, adds exactly."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from accounts.models import Account
from costs import selectors
from costs.comparison import earlier_state
from costs.freshness import DayState, summarise_days
from costs.money import sum_usd
from costs.periods import DayRange, utc_day
from costs.selectors import CostQuery, SummaryRow
from dashboard import figures, lines, stored
from dashboard.chart import Canvas, Chart, draw
from dashboard.figures import Change
from dashboard.lines import Named, Table
from dashboard.ranges import Period
from integrations.models import Connection

_DAY = dt.timedelta(days=1)
_MOST_MODELS = 25
# An organisation may have as many workspaces as it likes; the page stays one that can be read.
MOST_WORKSPACES, ALL_WORKSPACES = 10, 500
_MODEL_GROUPS = ("model", "cost_type")
_PLACE_GROUPS = ("connection", "workspace_id")
Place = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the page shows of one period; `not_compared` says why there is no change, if there is none."""

    period: Period
    total: Decimal
    change: Change | None
    not_compared: str
    daily_average: Decimal
    today: Decimal | None
    provisional_days: int
    missing_days: int
    chart: Chart
    models: Table
    workspaces: Table


def overview(account: Account, period: Period, now: dt.datetime, *, most_workspaces: int) -> Overview:
    """
    Read one period of an account.

    Units:   USD, exact; both tables add up to the total
    Effects: at most ten queries, however many connections, models and days
    """
    today = utc_day(now)
    facts = selectors.summarise(
        CostQuery(account.pk, period.charted), group_by=_MODEL_GROUPS, granularity="day"
    )
    daily = _by_model(facts.rows)
    states = _states(account, period.charted, today)
    not_compared = _why_not_compared(account, period)
    chart = draw(daily, Canvas(period.charted, period.granularity, states.provisional))
    models = _models(account, period, daily, chart, compare=not not_compared)
    return Overview(
        period=period,
        total=models.total,
        change=models.change,
        not_compared=not_compared,
        daily_average=figures.mean(models.total, len(period.days)),
        today=_total_on(daily, today) if today in states.stored and period.reaches_today else None,
        provisional_days=sum(day in states.provisional for day in period.days.days()),
        missing_days=sum(day in states.missing for day in period.days.days()),
        chart=chart,
        models=models,
        workspaces=_workspaces(account, period, compare=not not_compared, most=most_workspaces),
    )


Daily = dict[tuple[dt.date, str], Decimal]


def _by_model(rows: Iterable[SummaryRow]) -> Daily:
    found: defaultdict[tuple[dt.date, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        found[row.bucket or dt.date.min, _model_label(row)].append(row.amount_usd)
    return {key: sum_usd(amounts) for key, amounts in found.items()}


def _model_label(row: SummaryRow) -> str:
    model, cost_type = row.group["model"], row.group["cost_type"]
    if model is not None:
        return model
    return f"{(cost_type or 'other').replace('_', ' ').capitalize()} (no model)"


def _total_on(daily: Daily, day: dt.date) -> Decimal:
    return sum_usd(amount for (at, _), amount in daily.items() if at == day)


@dataclass(frozen=True, slots=True)
class _States:
    stored: frozenset[dt.date]
    provisional: frozenset[dt.date]
    missing: frozenset[dt.date]


def _states(account: Account, days: DayRange, today: dt.date) -> _States:
    """Sort the days: provisional or missing as soon as one connection's day is."""
    known = summarise_days(account.pk, days)
    return _States(
        stored=frozenset(day.day for day in known if day.is_stored),
        provisional=frozenset({today} | {day.day for day in known if day.is_provisional}),
        # Today is complete only tomorrow.
        missing=frozenset(day.day for day in known if day.is_missing and day.day < today),
    )


def _why_not_compared(account: Account, period: Period) -> str:
    """Say why a comparison would mislead: the earlier days are not stored for every connection."""
    begins = [coverage.data_from for coverage in stored.coverages(account).values() if coverage.data_from]
    latest = max(begins, default=None)
    if latest is not None and latest > period.previous.start:
        return f"No comparison: stored data begins on {figures.day(latest)}."
    if earlier_state(account.pk, period.previous) is DayState.MISSING:
        return "No comparison: not every day of the period before is stored."
    return ""


def _models(account: Account, period: Period, daily: Daily, chart: Chart, *, compare: bool) -> Table:
    now: defaultdict[str, list[Decimal]] = defaultdict(list)
    for (day, label), amount in daily.items():
        if day in period.days:
            now[label].append(amount)
    before = None
    if compare:
        earlier = selectors.summarise(CostQuery(account.pk, period.previous), group_by=_MODEL_GROUPS)
        before = {label: amount for (_, label), amount in _by_model(earlier.rows).items()}
    slots = {series.label: series.slot for series in chart.series}
    return lines.table(
        {label: sum_usd(amounts) for label, amounts in now.items()},
        before,
        lambda label: Named(label, slot=slots.get(label, "other")),
        most=_MOST_MODELS,
    )


def _workspaces(account: Account, period: Period, *, compare: bool, most: int) -> Table:
    def sums(days: DayRange) -> dict[Place, Decimal]:
        found = selectors.summarise(CostQuery(account.pk, days), group_by=_PLACE_GROUPS)
        return {(row.group["connection"], row.group["workspace_id"]): row.amount_usd for row in found.rows}

    names = selectors.workspace_names(account.pk)
    labels = {
        str(key): label
        for key, label in Connection.objects.filter(account=account).values_list("id", "organization_name")
    }

    def name(place: Place) -> Named:
        connection_id, workspace_id = place
        known = names.find(connection_id, workspace_id)
        fallback = "Default workspace" if workspace_id is None else workspace_id
        return Named(known or fallback, labels.get(connection_id or "", "") if len(labels) > 1 else "")

    return lines.table(sums(period.days), sums(period.previous) if compare else None, name, most=most)
