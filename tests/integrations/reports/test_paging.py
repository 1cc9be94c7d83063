from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from integrations.anthropic import endpoints
from integrations.anthropic.reports.paging import (
    LAST_ID,
    covered_days,
    data_as_of,
    read_rows,
    refuse_other_days,
    refuse_overlap,
)
from integrations.anthropic.wire import WireError
from integrations.errors import Fate, Reason, UpstreamError
from tests.integrations.reports.answers import THREE_DAYS, body, refusal

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 18, 16, tzinfo=UTC)


def rows_of(*bodies, **options):
    seen = []
    read_rows(bodies, (), lambda row, refreshed_at: seen.append((row["n"], refreshed_at)), **options)
    return seen


class TestReadRows:
    def test_hands_over_every_row_with_the_moment_of_its_page(self):
        first = body({"n": 1}, {"n": 2}, has_more=True, next_page="p2", data_refreshed_at=NOON.isoformat())

        assert rows_of(first, body({"n": 3})) == [(1, NOON), (2, NOON), (3, None)]

    def test_returns_the_moment_of_each_page(self):
        first = body(has_more=True, next_page="p2", data_refreshed_at=NOON.isoformat())

        assert read_rows([first, body()], (), lambda _row, _at: None) == [NOON, None]

    def test_reads_the_cursor_where_this_list_has_it(self):
        pages = [body({"n": 1}, has_more=True, last_id="x_1"), body({"n": 2}, last_id="x_2")]

        assert [number for number, _ in rows_of(*pages, cursor_field=LAST_ID)] == [1, 2]

    @pytest.mark.parametrize(
        ("pages", "words"),
        [
            ([], "not complete"),
            ([body(has_more=True, next_page="p2")], "not complete"),
            ([body(), body()], "not complete"),
            ([body(has_more=True), body()], "does not say which"),
            (
                [body(has_more=True, next_page="p2"), body(has_more=True, next_page="p2"), body()],
                "same next page",
            ),
        ],
    )
    def test_refuses_pages_that_do_not_make_a_whole(self, pages, words):
        error = refusal(read_rows, pages, (), lambda _row, _at: None)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail

    def test_names_the_request_whose_row_was_refused(self):
        def refuse(_row, _refreshed_at):
            raise WireError("it is odd")

        pages = [body(has_more=True, next_page="p2"), body({"n": 1})]

        assert refusal(read_rows, pages, ["req_1", "req_2"], refuse).request_id == "req_2"

    def test_lives_without_request_ids(self):
        assert refusal(read_rows, [b"[]"], (), lambda _row, _at: None).request_id is None


BUCKETS, ROWS, NAMES = endpoints.COST_REPORT, endpoints.ANALYTICS_COST, endpoints.WORKSPACES


def bucket(day: int, *results) -> dict:
    return {"starting_at": f"2026-11-{day}T00:00:00Z", "results": list(results)}


class TestRefuseOverlap:
    @pytest.mark.parametrize(
        ("path", "earlier", "later"),
        [
            (BUCKETS, body(bucket(17), bucket(18)), body(bucket(18, {"amount": "1"}), bucket(19))),
            (BUCKETS, body(bucket(17)), body(bucket(17))),
            (ROWS, body({"n": 1}), body({"n": 1})),
            (ROWS, body({"n": 1}, {"n": 2}, {"n": 3}), body({"n": 2}, {"n": 3}, {"n": 4})),
            (ROWS, body({"n": 1, "m": 2}, {"n": 3}), body({"m": 2, "n": 1}, {"n": 3})),
        ],
        ids=["a bucket", "the whole page", "the only row", "some rows", "in another spelling"],
    )
    def test_refuses_what_an_earlier_page_holds(self, path, earlier, later):
        with pytest.raises(WireError, match="again"):
            refuse_overlap(path, later, earlier)

    @pytest.mark.parametrize(
        ("path", "earlier", "later"),
        [
            (BUCKETS, body(bucket(17)), body(bucket(18))),
            (BUCKETS, body(bucket(17)), body()),
            (ROWS, body({"n": 1}, {"n": 2}), body({"n": 2}, {"n": 3})),
            (ROWS, body(), body()),
            (NAMES, body({"id": "a"}, {"id": "b"}), body({"id": "a"}, {"id": "b"})),
        ],
        ids=["other buckets", "none", "one row of two hidden people", "no rows", "names that moved"],
    )
    def test_lets_pass_what_may_be(self, path, earlier, later):
        refuse_overlap(path, later, earlier)


class TestRefuseOtherDays:
    def test_refuses_a_bucket_outside_the_window(self):
        with pytest.raises(WireError, match="2026-11-20, which was not asked for"):
            refuse_other_days(BUCKETS, body(bucket(19), bucket(20)), THREE_DAYS)

    @pytest.mark.parametrize(
        ("path", "page"), [(BUCKETS, body(bucket(17), bucket(19))), (ROWS, body({"n": 1})), (NAMES, body())]
    )
    def test_lets_pass_what_may_be(self, path, page):
        refuse_other_days(path, page, THREE_DAYS)


class TestDataAsOf:
    def test_is_the_moment_of_all_pages(self):
        assert data_as_of([NOON, NOON]) == NOON

    @pytest.mark.parametrize("moments", [[None], [NOON, None], [None, LATER, NOON]])
    def test_is_unknown_as_soon_as_one_page_does_not_know(self, moments):
        assert data_as_of(moments) is None

    def test_restarts_a_query_whose_pages_are_of_two_refreshes(self):
        with pytest.raises(UpstreamError) as caught:
            data_as_of([NOON, LATER])

        assert caught.value.fate is Fate.RESTART
        assert "refreshed while" in caught.value.detail


class TestCoveredDays:
    @pytest.mark.parametrize(
        ("as_of", "days"),
        [
            (None, set()),
            (datetime(2026, 11, 17, tzinfo=UTC), set()),
            (datetime(2026, 11, 17, 0, 0, 1, tzinfo=UTC), {17}),
            (NOON, {17, 18}),
            (datetime(2026, 11, 19, tzinfo=UTC), {17, 18}),
            (datetime(2027, 1, 1, tzinfo=UTC), {17, 18, 19}),
        ],
    )
    def test_are_those_that_began_before_the_data_ends(self, as_of, days):
        assert covered_days(THREE_DAYS, as_of) == {date(2026, 11, day) for day in days}
