from __future__ import annotations

import datetime as dt

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from dashboard import labels, ranges
from dashboard.explore.state import COMPARES, GRANULARITIES, SORTS, State, read, read_days
from foundation.periods import DayRange

TODAY = dt.date(2026, 11, 22)
# A filter's value is never empty, and the word null stands for the absence of one.
VALUES = st.none() | st.text(min_size=1, max_size=8).filter(lambda text: text != "null")
DAYS = st.dates(dt.date(2020, 1, 1), TODAY)


@st.composite
def states(draw) -> State:
    chosen = draw(st.sampled_from([*ranges.PRESETS, ranges.CUSTOM]))
    first, last = sorted(draw(st.tuples(DAYS, DAYS)))
    is_custom = chosen == ranges.CUSTOM
    dimensions = st.sampled_from([name for name in labels.DIMENSIONS if name != "connection"])
    filters = draw(
        st.dictionaries(
            dimensions, st.lists(VALUES, min_size=1, max_size=2, unique=True).map(tuple), max_size=3
        )
    )
    order = list(labels.DIMENSIONS)
    return State(
        range=chosen,
        first=first if is_custom else None,
        last=last if is_custom else None,
        granularity=draw(st.sampled_from(list(GRANULARITIES))),
        group_by=tuple(draw(st.lists(st.sampled_from(order), max_size=2, unique=True))),
        compare=draw(st.sampled_from([*COMPARES])),
        filters=tuple(sorted(filters.items())),
        sort=draw(st.sampled_from([f"{sign}{name}" for name in SORTS for sign in ("", "-")])),
        all_rows=draw(st.booleans()),
    )


class TestRead:
    @given(states())
    def test_gives_back_what_was_written(self, state):
        found, problems = read(QueryDict(state.text), TODAY)

        assert problems == []
        assert {**vars_of(found), "filters": dict(found.filters)} == {
            **vars_of(state),
            "filters": dict(state.filters),
        }

    def test_of_nothing_is_the_default(self):
        assert read(QueryDict(""), TODAY) == (State(), [])
        assert State().text == ""

    def test_takes_empty_fields_of_a_form_for_not_given(self):
        given_fields = "range=&from=&to=&granularity=&group_by=&then_by=&compare=&model="

        assert read(QueryDict(given_fields), TODAY) == (State(), [])

    def test_ignores_the_days_of_a_form_beside_a_preset(self):
        """The form has them always, scripts or not."""
        state, problems = read(QueryDict("range=7d&first=2026-01-01&last=2026-01-02"), TODAY)

        assert (state, problems) == (State(range="7d"), [])

    @pytest.mark.parametrize(
        "query",
        [
            "from=2026-10-01&to=2026-11-01",  # as the API
            "range=custom&first=2026-10-01&last=2026-10-31",  # as the form
            "range=custom&from=2026-10-01&to=2026-10-31",  # as every address was written before, and every saved view
        ],
    )
    def test_takes_each_way_to_ask_for_october_for_october(self, query):
        state, problems = read(QueryDict(query), TODAY)

        assert problems == []
        assert state.period(TODAY).days == DayRange(dt.date(2026, 10, 1), dt.date(2026, 11, 1))

    def test_of_days_is_written_as_the_api_takes_them(self):
        old, _ = read(QueryDict("range=custom&from=2026-10-01&to=2026-10-31"), TODAY)

        assert old.text == "from=2026-10-01&to=2026-11-01"

    @pytest.mark.parametrize(
        ("query", "asked"),
        [("range=7d", "7d"), ("from=2026-11-01&to=2026-11-03", "custom"), ("model=a", None)],
    )
    def test_of_a_page_with_days_only_finds_those(self, query, asked):
        state, problems = read_days(QueryDict(query), TODAY)

        assert (state and state.range, problems) == (asked, [])

    @pytest.mark.parametrize(
        ("query", "given_words", "instead"),
        [
            ("range=13m", "range=13m", "no such choice"),
            ("granularity=hour", "granularity=hour", "no such choice"),
            ("group_by=password", "group_by=password", "no such choice"),
            ("sort=luck", "sort=luck", "no such choice"),
            ("colour=red", "colour", "no such filter"),
            ("range=custom", "without both of its days", "last 30 days"),
            ("from=2026-11-03", "without both of its days", "last 30 days"),
            ("to=2026-11-03", "without both of its days", "last 30 days"),
            ("from=2026-11-03&to=2026-11-03", "from=2026-11-03", "after its end"),
            ("from=2026-11-03&to=2027-11-02", "to=2027-11-02", "ends today"),
            ("from=2027-11-03&to=2027-11-05", "from=2027-11-03", "still to come"),
            ("from=0001-01-01&to=0001-01-02", "from=0001-01-01", "1970 to 2099"),
            ("range=7d&from=2026-11-03&to=2026-11-05", "from and to beside range=7d", "leave it out"),
            ("range=custom&first=2026-11-03&last=2026-11-02", "first=2026-11-03", "after its end"),
            ("range=custom&from=yesterday&to=2026-11-02", "from=yesterday", "2026-11-20"),
            ("range=custom&from=2026-11-03&to=2026-11-02", "from=2026-11-03", "after its end"),
            ("range=custom&from=2026-11-03&to=2027-11-02", "to=2027-11-02", "ends today"),
            ("range=custom&from=1990-11-03&to=2026-11-02", "3,660 days", "begins on 2016-10-26"),
            ("connection=x", "connection=x", "not the id"),
        ],
    )
    def test_says_what_it_could_not_follow(self, query, given_words, instead):
        _, problems = read(QueryDict(query), TODAY)

        told = [(problem.given, problem.instead) for problem in problems]
        assert any(given_words in given_part and instead in rest for given_part, rest in told), told

    def test_groups_by_one_dimension_once(self):
        assert read(QueryDict("group_by=model&then_by=model"), TODAY)[0].group_by == ("model",)

    def test_knows_the_absence_of_a_value(self):
        assert read(QueryDict("workspace_id=null&workspace_id=w1"), TODAY)[0].filters == (
            ("workspace_id", (None, "w1")),
        )


class TestState:
    def test_narrows_and_widens(self):
        state = State(all_rows=True).narrowed({"model": "a"})

        assert state.filters == (("model", ("a",)),)
        assert not state.all_rows
        assert state.narrowed({"model": "b"}).filters == (("model", ("b",)),)
        assert state.without("model", "a") == State()

    def test_asks_for_connections_without_a_cost_centre_as_they_are_stored(self, account):
        query = State(filters=(("cost_center", (None,)),)).query(account.pk, DayRange(TODAY, TODAY))

        assert query.filters == {"cost_center": [None, ""]}

    def test_steps_fit_the_range(self):
        year = State(range="12m")

        assert year.step(year.period(TODAY)) == "week"
        assert year.changed(granularity="cumulative").step(year.period(TODAY)) == "day"
        assert ranges.fitting(DayRange(TODAY - dt.timedelta(days=700), TODAY)) == "month"


def vars_of(state: State) -> dict[str, object]:
    return {name: getattr(state, name) for name in state.__slots__ if name != "filters"}
