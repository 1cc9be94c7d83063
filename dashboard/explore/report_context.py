"""What all parts of an explorer page share: whose costs of which days, compared with which, under which names."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from costs import usage
from costs.comparison import read_comparability, read_offers
from costs.coverage import Coverage, Scope, read_coverage
from costs.selectors import CostQuery, Key
from costs.values import API_KEYS
from dashboard import figures, labels
from dashboard.explore.state import NONE, State
from dashboard.labels import Names
from dashboard.ranges import Period
from foundation.periods import DayRange

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """Whose costs of which state, on which day."""

    account_id: UUID
    state: State
    today: dt.date


@dataclass(frozen=True, slots=True)
class ReportContext:
    """
    A subject with its days and names.

    Shape:   `before` is empty where nothing is compared; `not_compared` says why, where a comparison was asked for;
             `untold` are dimensions whose report is still to come for some of the days shown
    """

    subject: ReportRequest
    period: Period
    before: DayRange
    not_compared: str
    names: Names
    covered: Coverage
    untold: frozenset[str]

    @property
    def state(self) -> State:
        """What is shown."""
        return self.subject.state

    @property
    def query(self) -> CostQuery:
        """The question to the selectors."""
        return self.state.query(self.subject.account_id, self.period.days)

    @property
    def scope(self) -> Scope:
        """Whose days of which connections are shown, and which reports they need."""
        return scope_of(self.subject, self.period.days)

    @property
    def compare(self) -> bool:
        """True when there is a range to compare with."""
        return bool(len(self.before))

    @property
    def has_shares(self) -> bool:
        """True when all groups are of the same days, so that each is a part of the total."""
        return not (self.untold or self.covered.is_patchy)

    def label(self, key: Key) -> str:
        """Say what a group is called, in one line."""
        return " · ".join(self.labels(key))

    def labels(self, key: Key) -> tuple[str, ...]:
        """Say what a group is called, dimension by dimension."""
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
        by = labels.next_dimension(first, taken)
        if pairs.get("model", "") is None:
            by = "cost_type"  # costs without a model are told apart by what they are instead
        elif pairs.get("actor_id") == API_KEYS:
            by = "api_key_id"
        return self.state.narrowed(pairs).changed(group_by=(by,) if by else ()).address


def prepare(subject: ReportRequest, *, also_named: Sequence[str] = ()) -> ReportContext:
    """Find the days of a subject and those it may be compared with, and the names its groups need."""
    state = subject.state
    period = state.period(subject.today)
    covered = read_coverage(scope_of(subject, period.days))
    not_compared = _why_not_compared(covered, period, state) if state.compare != NONE else ""
    compare = state.compare != NONE and not not_compared
    before = period.previous if compare else DayRange(period.days.start, period.days.start)
    names = labels.names(subject.account_id, [*state.group_by, *dict(state.filters), *also_named])
    untold = frozenset[str]()
    if covered.is_stored and not compare and not state.is_usage:
        untold = read_offers(covered.scope).lacking(covered.scope.filters, state.group_by)
    return ReportContext(subject, period, before, not_compared, names, covered, untold)


def scope_of(subject: ReportRequest, days: DayRange) -> Scope:
    """Return some days of what a subject is narrowed to."""
    state, query = subject.state, subject.state.query(subject.account_id, days)
    return Scope(
        subject.account_id,
        days,
        subject.today,
        query.filters,
        kind="usage" if state.is_usage else "cost",
        as_of=None if state.is_usage else query.as_of,
    )


def _why_not_compared(covered: Coverage, period: Period, state: State) -> str:
    """Say why a comparison would mislead: one of the two ranges lacks days or hours, or the report that its groups need."""
    compared = read_comparability(covered.scope, period.previous, state.group_by)
    incomplete = next((each for each in (covered, compared.before) if not each.is_whole), None)
    if incomplete:
        days = incomplete.scope.days
        lack = "stored" if incomplete.missing else "read to its end"
        return f"No comparison: not every day of {figures.days(days.start, days.end - _DAY)} is {lack}."
    if compared.lacking:
        return f"No comparison: {lacking(compared.lacking)} on some of the days compared."
    return ""


def why_no_tokens(context: ReportContext) -> str:
    """
    Say why dollars have no tokens beside them; empty where they have.

    Shape:   dollars of some days may lack groups that tokens have sooner: the line without a group would have dollars of
             the others and none of their tokens
    Effects: one query at most
    """
    if context.untold:
        return "Dollars are shown: until that report is there, no group has both its dollars and its tokens."
    query = context.query
    if query.as_of or not {*context.state.group_by, *query.filters} <= usage.DIMENSIONS.keys():
        return (
            "No report of usage knows these groups or filters, or what was known on a day: dollars are shown."
        )
    if not read_coverage(replace(context.scope, kind="usage")).is_stored:
        return "No usage is stored for these days: dollars are shown."
    return ""


def lacking(names: Collection[str]) -> str:
    """Say that the report of some dimensions is not there."""
    listed = " and ".join(labels.inline(name) for name in sorted(names))
    return f"the report that states {listed} is not stored"
