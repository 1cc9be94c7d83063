from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from costs.periods import DayRange
from integrations.anthropic.client import cost_report_request, workspaces_request
from integrations.anthropic.streams import STREAMS
from integrations.pages import Page

WINDOW = DayRange(date(2026, 11, 19), date(2026, 11, 20))
COST = STREAMS["cost_report"]
WORKSPACES = STREAMS["workspaces"]
COST_BODY = b"""{"data":[{"starting_at":"2026-11-19T00:00:00Z","ending_at":"2026-11-20T00:00:00Z",
  "results":[{"amount":"150","currency":"USD"}]}],"has_more":false,"next_page":null}"""


def page(request, next_cursor):
    return Page(request, 200, None, None, b"", next_cursor is not None, next_cursor, None, 0)


class TestStreams:
    def test_are_found_by_the_name_their_requests_carry(self):
        assert {name: stream.first_page(WINDOW).stream for name, stream in STREAMS.items()} == {
            "cost_report": "cost_report",
            "workspaces": "workspaces",
        }

    def test_tell_the_engine_how_to_cut_them(self):
        assert (COST.kind, COST.max_window_days, COST.is_bill) == ("cost", 31, True)
        assert (WORKSPACES.kind, WORKSPACES.max_window_days) == ("names", None)


class TestFirstPage:
    def test_asks_for_the_whole_window(self):
        assert COST.first_page(WINDOW) == cost_report_request(WINDOW)

    def test_needs_a_window_where_days_matter(self):
        with pytest.raises(ValueError, match="window"):
            COST.first_page(None)

    def test_needs_none_for_names(self):
        assert WORKSPACES.first_page(None) == workspaces_request()


class TestNextPage:
    def test_changes_nothing_but_the_cursor(self):
        first = COST.first_page(WINDOW)

        following = COST.next_page(first, page(first, "page_2"))

        assert following == replace(first, cursor="page_2")
        assert following.query_hash() == first.query_hash()

    def test_ends_after_the_last_page(self):
        first = COST.first_page(WINDOW)

        assert COST.next_page(first, page(first, None)) is None


class TestRead:
    def test_returns_cost_and_the_days_it_covers(self):
        reading = COST.read(WINDOW, [COST_BODY])

        assert [str(record.amount_usd) for record in reading.records] == ["1.50"]
        assert reading.covered == {date(2026, 11, 19)}

    def test_returns_names_and_no_days(self):
        reading = WORKSPACES.read(None, [b'{"data":[{"id":"w","name":"A"}],"has_more":false,"last_id":"w"}'])

        assert [record.name for record in reading.names] == ["A"]
        assert reading.covered == frozenset()
