"""What all parts of an explorer page share: whose costs of which days, compared with which, under which names."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from costs.comparison import earlier_state
from costs.freshness import DayState
from costs.periods import DayRange
from costs.selectors import CostQuery, Key
from costs.values import API_KEYS
from dashboard import figures, naming
from dashboard.explore.state import State
from dashboard.naming import Names
from dashboard.ranges import Period

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose costs of which state, on which day."""

    account_id: UUID
    state: State
    today: dt.date


@dataclass(frozen=True, slots=True)
class Ground:
    """
    A subject with its days and names.

    Shape:   `before` is empty where nothing is compared; `not_compared` says why, where a comparison was asked for
    """

    subject: Subject
    period: Period
    before: DayRange
    not_compared: str
    names: Names

    @property
    def state(self) -> State:
        """What is shown."""
        return self.subject.state

    @property
    def query(self) -> CostQuery:
        """The question to the selectors."""
        return self.state.query(self.subject.account_id, self.period.days)

    @property
    def compare(self) -> bool:
        """True when there is a range to compare with."""
        return bool(len(self.before))

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
        by = naming.next_dimension(first, taken)
        if pairs.get("model", "") is None:
            by = "cost_type"  # costs without a model are told apart by what they are instead
        elif pairs.get("actor_id") == API_KEYS:
            by = "api_key_id"
        return self.state.narrowed(pairs).changed(group_by=(by,) if by else ()).address


def prepare(subject: Subject, *, also_named: Sequence[str] = ()) -> Ground:
    """Find the days of a subject and those it may be compared with, and the names its groups need."""
    state = subject.state
    period = state.period(subject.today)
    not_compared = _why_not_compared(subject, period) if state.compare == "previous" else ""
    compare = state.compare == "previous" and not not_compared
    before = period.previous if compare else DayRange(period.days.start, period.days.start)
    names = naming.names(subject.account_id, [*state.group_by, *dict(state.filters), *also_named])
    return Ground(subject, period, before, not_compared, names)


def _why_not_compared(subject: Subject, period: Period) -> str:
    """Say why a comparison would mislead: not every earlier day is stored for every connection."""
    state = earlier_state(
        subject.account_id,
        period.previous,
        subject.state.connections,
        kind="usage" if subject.state.is_usage else "cost",
    )
    if state is not DayState.MISSING:
        return ""
    span = figures.days(period.previous.start, period.previous.end - _DAY)
    return f"No comparison: not every day of {span} is stored."
