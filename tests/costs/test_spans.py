"""A page of rows reads no more days than it needs, and the pages together hold every row once."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.models import Role
from costs.selectors import CostQuery
from costs.spans import Span, Spans
from foundation.periods import DayRange
from tests.api.conftest import DAY, Caller, caller, record, store, stored_connection

FIRST = dt.date(2026, 1, 1)
DAYS = DayRange(FIRST, FIRST + 60 * DAY)
RANGE = {"from": "2026-01-01", "to": "2026-03-02"}


@pytest.fixture
def two_months(account) -> Any:
    """Four rows on each of 60 days but every tenth; a model that is seen on three days only."""
    connection = stored_connection(account)
    store(
        connection,
        *(
            record(FIRST + number * DAY, f"{n}.25", model=f"model-{n}", description=f"d{number}")
            for number in range(60)
            if number % 10 != 7
            for n in range(1, 5)
        ),
        *(record(FIRST + number * DAY, "9", model="rare") for number in (3, 40, 59)),
    )
    return connection


@pytest.fixture
def viewer(account, admin_user) -> Caller:
    return caller(account, Role.VIEWER, admin_user)


def spans(account, **more: Any) -> Spans:
    return Spans(CostQuery(account.pk, DAYS, **more), "cost")


def walked(account, rows: int, *, backwards: bool = False, **more: Any) -> list[Span]:
    return list(spans(account, **more).walk(DAYS, rows, backwards=backwards))


class TestWalk:
    @pytest.mark.parametrize("backwards", [False, True])
    @pytest.mark.parametrize("rows", [1, 5, 101, 2_000])
    def test_holds_every_day_once(self, account, two_months, rows, backwards):
        days = [day for span in walked(account, rows, backwards=backwards) for day in span.days.days()]

        assert sorted(days) == list(DAYS.days())

    def test_begins_with_as_many_days_as_the_rows_need(self, account, two_months):
        assert walked(account, 9)[0] == Span(DayRange(FIRST, FIRST + 3 * DAY))

    def test_begins_at_the_end_when_it_goes_backwards(self, account, two_months):
        assert walked(account, 4, backwards=True)[0] == Span(DayRange(DAYS.end - DAY, DAYS.end))

    def test_reads_only_the_days_on_which_a_row_passes(self, account, two_months):
        """After two spans, which most filters fill: the last two of the three days with this model."""
        last = walked(account, 4, filters={"model": ["rare"]})[-1]

        assert last.only == (FIRST + 40 * DAY, FIRST + 59 * DAY)

    def test_reads_all_days_where_no_sums_know_the_filter(self, account, two_months):
        found = walked(account, 4, filters={"description": ["d50"]})

        assert [span.only for span in found] == [None] * len(found)

    def test_reads_all_days_as_of_a_moment(self, account, two_months):
        found = walked(account, 4, filters={"model": ["rare"]}, as_of=dt.datetime(2027, 1, 1, tzinfo=dt.UTC))

        assert [span.only for span in found] == [None] * len(found)

    def test_holds_the_days_also_where_nothing_is_stored(self, account):
        assert walked(account, 10) == [Span(DAYS)]


def pages(viewer: Caller, **query: Any) -> list[list[str]]:
    """All pages of a list, each as its days."""
    document, found = viewer.get("costs/", **RANGE, **query).json(), []
    while True:
        found.append([f"{row['day']} {row['model']}" for row in document["results"]])
        if document["next"] is None:
            return found
        document = follow(viewer, document["next"])


def follow(viewer: Caller, address: str) -> Any:
    parts = urlsplit(address)
    answer = Client(headers={"authorization": f"Bearer {viewer.token}"}).get(f"{parts.path}?{parts.query}")
    return answer.json()


class TestPages:
    @pytest.mark.parametrize("size", [7, 100, 1000])
    @pytest.mark.parametrize(
        ("filters", "rows"),
        [
            ({}, 219),
            ({"model": "model-2"}, 54),
            ({"model": "rare"}, 3),
            ({"description": "d50"}, 4),
            ({"model": "x"}, 0),
        ],
    )
    def test_hold_every_row_once_in_order(self, viewer, two_months, size, filters, rows):
        found = [each for page in pages(viewer, page_size=size, **filters) for each in page]

        assert len(found) == len(set(found)) == rows
        assert [each[:10] for each in found] == sorted(each[:10] for each in found)

    def test_lead_back_to_the_first(self, viewer, two_months):
        first = viewer.get("costs/", **RANGE, page_size=20, model="model-3").json()
        second = follow(viewer, first["next"])
        third = follow(viewer, second["next"])

        assert follow(viewer, third["previous"])["results"] == second["results"]
        assert follow(viewer, second["previous"])["results"] == first["results"]
        assert follow(viewer, second["previous"])["previous"] is None
