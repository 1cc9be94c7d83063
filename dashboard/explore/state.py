"""What the address of an explorer page asks for: reading it with a word for each mistake, and writing it again.

The address is the whole state: nothing of it is kept in a session, so a copied address shows the same to
everybody of the account.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode
from uuid import UUID

from django.http import QueryDict
from django.urls import reverse

from costs.selectors import DIMENSIONS, CostQuery, Granularity
from dashboard import labels, ranges
from dashboard.ranges import Period
from foundation.periods import DayRange, day_start

_DAY = dt.timedelta(days=1)
NULL = "null"
NONE = "none"
GRANULARITIES = {
    "auto": "Automatic",
    "day": "Daily",
    "week": "Weekly",
    "month": "Monthly",
    "cumulative": "Cumulative",
}
SORTS = ("name", "amount", "previous", "change", "percent", "tokens", "per_million")
METRICS = {
    "cost": "Billed cost",
    "tokens": "Tokens",
    "usd_per_million": "USD per million tokens",
}
Compare = Literal["previous", "previous_month", "none"]
COMPARES = {"previous": "Previous period", "previous_month": "Same days, month before", NONE: "Nothing"}
# As many days as the API sums at once.
_MOST_DAYS = 3660
# Arithmetic on days must not run off the calendar.
_YEARS = range(1970, 2100)
_DEFAULT_SHOWN = "the last 30 days are shown"
_DEFAULT_GROUP = "model"
_OWN_PARAMETERS = {
    "range", "from", "to", "first", "last", "granularity", "group_by", "then_by", "compare", "sort", "rows", "view",
    "metric", "as_of",
}  # fmt: skip
Filters = tuple[tuple[str, tuple[str | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in an address that could not be followed: what it said, and what is shown instead."""

    given: str
    instead: str


@dataclass(frozen=True, slots=True)
class State:
    """
    One view of the costs.

    Shape:   `first` and `last` are inclusive and there for the range `custom` only; `sort` begins with a minus
             for largest first; `all_rows` shows the groups that are otherwise one line; `view` is the id of
             the saved view that one came from, which does not change what is shown; `as_of`: as it was known at
             the end of that day
    """

    range: str = ranges.DEFAULT
    first: dt.date | None = None
    last: dt.date | None = None
    granularity: str = "auto"
    group_by: tuple[str, ...] = (_DEFAULT_GROUP,)
    compare: Compare = "previous"
    filters: Filters = ()
    sort: str = "-amount"
    all_rows: bool = False
    view: str = ""
    metric: str = "cost"
    as_of: dt.date | None = None

    def period(self, today: dt.date) -> Period:
        """Return the days shown and those they are compared with."""
        if self.range == ranges.CUSTOM and self.first and self.last:
            period = ranges.custom(DayRange(self.first, self.last + _DAY))
        else:
            period = ranges.period(self.range, today)
        return period.a_month_before() if self.compare == "previous_month" else period

    def step(self, period: Period) -> Granularity:
        """Return what one bar stands for; the cumulative chart goes day by day."""
        if self.granularity == "auto":
            return period.granularity
        return "day" if self.granularity == "cumulative" else self.granularity  # type: ignore[return-value]

    @property
    def is_cumulative(self) -> bool:
        """True when each bar holds what was spent since the start of the range."""
        return self.granularity == "cumulative"

    def query(self, account_id: UUID, days: DayRange) -> CostQuery:
        """Return the question to the selectors."""
        filters: dict[str, list[str | None]] = {name: list(values) for name, values in self.filters}
        if None in filters.get("cost_center", ()):
            # A connection without a cost centre keeps empty text, not null.
            filters["cost_center"].append("")
        # The end of the day is the beginning of the next one; today's has not come, and what is known is known now.
        known_until = day_start(self.as_of + _DAY) if self.as_of else None
        # Who asks for actors by name wants each of them; otherwise people are listed, and keys are one line.
        keys_as_one = not {"actor_id", "actor_type"} & filters.keys()
        return CostQuery(account_id, days, filters, as_of=known_until, keys_as_one=keys_as_one)

    @property
    def connections(self) -> list[str]:
        """The connections the state is narrowed to; none means all."""
        return [value for name, values in self.filters if name == "connection" for value in values if value]

    def days_pairs(self) -> list[tuple[str, str]]:
        """Return which days are shown as parameters, as `_Reading.range_and_days` reads them."""
        if self.range == ranges.CUSTOM and self.first and self.last:
            return [("from", self.first.isoformat()), ("to", (self.last + _DAY).isoformat())]
        return [("range", self.range)]

    @property
    def days_text(self) -> str:
        """Which days are shown, as the query of an address."""
        return urlencode(self.days_pairs())

    def pairs(self) -> list[tuple[str, str]]:
        """Return the state as parameters of an address, without what is the default anyway."""
        default = State()
        plain = [
            *((name, value, default.range) for name, value in self.days_pairs()),
            ("granularity", self.granularity, default.granularity),
            # Tokens have a page of their own, whose path says so.
            ("metric", "cost" if self.is_usage else self.metric, default.metric),
            ("as_of", self.as_of.isoformat() if self.as_of else "", ""),
            ("compare", self.compare, default.compare),
            ("sort", self.sort, default.sort),
            ("rows", "all" if self.all_rows else "", ""),
            ("view", self.view, ""),
        ]
        pairs = [(name, value) for name, value, usual in plain if value != usual]
        if self.group_by != default.group_by:
            pairs.append(("group_by", self.group_by[0] if self.group_by else NONE))
            pairs += [("then_by", name) for name in self.group_by[1:]]
        return [*pairs, *self.filter_pairs()]

    def filter_pairs(self) -> Iterator[tuple[str, str]]:
        """Return the filters as parameters."""
        for name, values in self.filters:
            for value in values:
                yield name, NULL if value is None else value

    @property
    def text(self) -> str:
        """The state as the query of an address; empty for the default one."""
        return urlencode(self.pairs())

    @property
    def kept_text(self) -> str:
        """The state as it is saved: what is shown, and nothing of where it came from."""
        return self.changed(view="").text

    @property
    def is_usage(self) -> bool:
        """True when tokens are shown, which the page of usage does."""
        return self.metric == "tokens"

    @property
    def address(self) -> str:
        """The path of the page with the state."""
        text = self.text
        path = reverse("dashboard:usage" if self.is_usage else "dashboard:explore")
        return f"{path}{'?' if text else ''}{text}"

    def changed(self, **changes: object) -> "State":
        """Return the state with some of it changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def values(self, dimension: str) -> tuple[str | None, ...]:
        """Return what a dimension is narrowed to; empty when it is not."""
        return dict(self.filters).get(dimension, ())

    def narrowed(self, narrowing: Mapping[str, str | None]) -> "State":
        """Return the state with each given dimension narrowed to one value."""
        kept = [(name, values) for name, values in self.filters if name not in narrowing]
        return replace(
            self, filters=(*kept, *((name, (value,)) for name, value in narrowing.items())), all_rows=False
        )

    def without(self, dimension: str, value: str | None) -> "State":
        """Return the state with one value of a filter taken away."""
        kept = [
            (name, tuple(each for each in values if name != dimension or each != value))
            for name, values in self.filters
        ]
        return replace(self, filters=tuple((name, values) for name, values in kept if values))


def read(parameters: QueryDict, today: dt.date) -> tuple[State, list[Problem]]:
    """
    Read a state; what cannot be followed is left at its default and named.

    Shape:   parameters as `State.pairs` writes them; an empty value counts as not given, since a form without
             scripts sends every field
    """
    reading = _Reading(parameters, today, [])
    chosen, first, last = reading.range_and_days()
    state = State(
        range=chosen,
        first=first,
        last=last,
        granularity=reading.one_of("granularity", tuple(GRANULARITIES), "auto"),
        group_by=reading.groups(),
        compare=reading.one_of("compare", tuple(COMPARES), "previous"),  # type: ignore[arg-type]
        filters=reading.filters(),
        sort=reading.one_of("sort", (*SORTS, *(f"-{name}" for name in SORTS)), "-amount"),
        all_rows=reading.one_of("rows", ("all",), "") == "all",
        view=reading.view(),
        metric=reading.one_of("metric", tuple(METRICS), "cost"),
        as_of=reading.as_of(),
    )
    reading.refuse_unknown()
    return state, reading.problems


def read_days(parameters: QueryDict, today: dt.date) -> tuple[State | None, list[Problem]]:
    """Read only which days are asked for, for a page that has nothing else to choose; None where none are."""
    reading = _Reading(parameters, today, [])
    chosen, first, last = reading.range_and_days()
    is_asked = any(parameters.get(name) for name in ("range", "from", "to"))
    return State(range=chosen, first=first, last=last) if is_asked else None, reading.problems


def _id(text: str) -> str:
    """Return an id in the one form in which ids are compared; empty for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return ""


@dataclass(slots=True)
class _Reading:
    parameters: QueryDict
    today: dt.date
    problems: list[Problem]

    def tell(self, given: str, instead: str) -> None:
        self.problems.append(Problem(given, instead))

    def one_of(self, name: str, choices: Sequence[str], default: str) -> str:
        given = self.parameters.get(name) or default
        if given in choices or given == default:
            return given
        self.tell(f"{name}={given}", "there is no such choice; the usual one is shown")
        return default

    def groups(self) -> tuple[str, ...]:
        first = self.one_of("group_by", (NONE, *labels.DIMENSIONS), _DEFAULT_GROUP)
        second = self.one_of("then_by", (NONE, *labels.DIMENSIONS), NONE)
        found = [name for name in (first, second) if name != NONE]
        return tuple(dict.fromkeys(found))

    def filters(self) -> Filters:
        found = []
        for name in DIMENSIONS:
            given = [value for value in self.parameters.getlist(name) if value]
            if name == "connection":
                given = [each for value in given if (each := self._connection(value))]
            values = tuple(dict.fromkeys(None if value == NULL else value for value in given))
            if values:
                found.append((name, values))
        return tuple(found)

    def _connection(self, value: str) -> str:
        found = _id(value)
        if not found:
            self.tell(f"connection={value}", "this is not the id of a connection; the filter is left out")
        return found

    def as_of(self) -> dt.date | None:
        day = self._day("as_of")
        if day is None or day < self.today:
            return day
        if day > self.today:
            self.tell(f"as_of={day}", "that day is still to come; what is known now is shown")
        return None

    def view(self) -> str:
        given = self.parameters.get("view", "")
        found = _id(given)
        if given and not found:
            self.tell(f"view={given}", "this is not the id of a saved view")
        return found

    def range_and_days(self) -> tuple[str, dt.date | None, dt.date | None]:
        """
        Read which days are shown: a preset, or days of one's own.

        Shape:   `from` and `to` alone are days as the API reads them, `to` exclusive. The form sends `range=custom`
                 with `first` and `last`, both inclusive. `range=custom` with `from` and `to` is how addresses were
                 written before, `to` inclusive: nothing writes it any more, so the two cannot be taken for each other
        """
        given = self.parameters.get("range", "")
        chosen = self.one_of("range", (*ranges.PRESETS, ranges.CUSTOM), ranges.DEFAULT)
        if given and chosen != ranges.CUSTOM:
            if self._has("from", "to"):
                self.tell(
                    f"from and to beside range={given}", "the range is shown; leave it out to see those days"
                )
            return chosen, None, None
        first, last = self._days(is_custom=chosen == ranges.CUSTOM)
        return (ranges.CUSTOM, first, last) if first and last else (ranges.DEFAULT, None, None)

    def _has(self, *names: str) -> bool:
        return any(self.parameters.get(name) for name in names)

    def _days(self, *, is_custom: bool) -> tuple[dt.date | None, dt.date | None]:
        names = ("first", "last") if is_custom and self._has("first", "last") else ("from", "to")
        if not is_custom and not self._has(*names):
            return None, None
        found = len(self.problems)
        first, last = (self._day(name) for name in names)
        if first is None or last is None:
            if len(self.problems) == found:
                self.tell("a range without both of its days", _DEFAULT_SHOWN)
            return None, None
        if not is_custom:
            last -= _DAY  # exclusive, as in the API
        return self._checked(first, last, names)

    def _checked(
        self, first: dt.date, last: dt.date, names: tuple[str, str]
    ) -> tuple[dt.date | None, dt.date | None]:
        if first > last:
            self.tell(f"{names[0]}={first}", f"a range cannot begin after its end; {_DEFAULT_SHOWN}")
            return None, None
        if last > self.today:
            self.tell(
                f"{names[1]}={self.parameters[names[1]]}", "that day is still to come; the range ends today"
            )
            last = self.today
        if first > last:
            self.tell(f"{names[0]}={first}", f"that day is still to come; {_DEFAULT_SHOWN}")
            return None, None
        if (last - first).days >= _MOST_DAYS:
            first = last - _DAY * (_MOST_DAYS - 1)
            self.tell(f"more than {_MOST_DAYS:,} days", f"the range begins on {first}")
        return first, last

    def _day(self, name: str) -> dt.date | None:
        given = self.parameters.get(name)
        if not given:
            return None
        try:
            day = dt.date.fromisoformat(given)
        except ValueError:
            self.tell(f"{name}={given}", "a day is written as 2026-11-20")
            return None
        if day.year in _YEARS:
            return day
        self.tell(f"{name}={given}", f"only the years {_YEARS[0]} to {_YEARS[-1]} can be asked for")
        return None

    def refuse_unknown(self) -> None:
        for name in self.parameters:
            if name not in _OWN_PARAMETERS and name not in DIMENSIONS:
                self.tell(name, "there is no such filter; it changes nothing")
