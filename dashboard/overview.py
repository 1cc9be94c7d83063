"""What the Overview adds to a report by model: workspaces, today so far, and how complete the last weeks are. Reads only."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from accounts.models import Account
from costs import selectors
from costs.coverage import Day, Scope, read_coverage
from costs.read_snapshots import read_snapshot
from costs.selectors import CostQuery, Key
from costs.variance import read_group_deltas
from dashboard import labels
from dashboard.explore import table
from dashboard.explore.report import Report, read_report
from dashboard.explore.report_context import ReportRequest
from dashboard.explore.state import State
from dashboard.explore.table import Layout, Table
from foundation.periods import DayRange

_DAY = dt.timedelta(days=1)
_STRIP_DAYS = 60
# An organisation may have as many workspaces as it likes; the page stays one that can be read.
_MOST_WORKSPACES = 8
_PLACE = ("connection", "workspace_id")


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of the strip, in the state of the worst of all connections."""

    day: dt.date
    state: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the page shows of one period; `today` is None before today was read."""

    report: Report
    workspaces: Table
    today: Decimal | None
    strip: list[Cell]
    complete_to: dt.date | None

    @property
    def all_workspaces(self) -> str:
        """The address where every workspace has a line."""
        return self.report.state.changed(group_by=_PLACE, all_rows=True).address


@read_snapshot()
def overview(account: Account, state: State, today: dt.date) -> Overview:
    """
    Read one period of an account.

    Units:   USD, exact; both tables add up to the total
    Effects: a fixed number of queries, however many connections, models and days
    """
    report = read_report(ReportRequest(account.pk, state, today))
    days = DayRange(today - _DAY * _STRIP_DAYS, today + _DAY)
    covered = read_coverage(Scope(account.pk, days, today))
    is_read = any(day.day == today and day.is_stored for day in covered.days)
    running = CostQuery(account.pk, DayRange(today, today + _DAY))
    return Overview(
        report=report,
        workspaces=_workspaces(account, report),
        today=selectors.total(running) if is_read else None,
        strip=[Cell(day.day, _state(day, today)) for day in covered.wanted],
        complete_to=covered.read_through,
    )


def _state(day: Day, today: dt.date) -> str:
    if day.day == today and not day.is_missing:
        return "provisional" if day.is_stored else "running"
    return day.state.value


def _workspaces(account: Account, report: Report) -> Table:
    names = labels.Names({})
    workspaces = labels.workspaces_by_connection(account.pk)
    organisations = labels.organisations(account.pk)

    def label(key: Key) -> tuple[str, ...]:
        connection_id, workspace_id = key
        name = workspaces.get(key) or names.label("workspace_id", workspace_id)
        return (name, organisations.get(connection_id or "", "")) if len(organisations) > 1 else (name,)

    def link(key: Key) -> str:
        pairs = dict(zip(_PLACE, key, strict=True))
        if len(organisations) == 1:
            del pairs["connection"]
        return report.state.narrowed(pairs).changed(group_by=("model",)).address

    layout = Layout(
        heads=("Workspace",), label=label, slots={}, link=link, compare=report.change is not None,
        sort="-amount", most=_MOST_WORKSPACES, has_shares=report.context.has_shares,
    )  # fmt: skip
    moved = read_group_deltas(report.context.query, report.context.before, _PLACE)
    return table.build(moved.by(_PLACE), layout)
