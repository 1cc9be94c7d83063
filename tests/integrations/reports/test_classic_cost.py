from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from foundation.money import usd_text
from integrations.anthropic.reports.classic_cost import cost_report_request, read_cost_report
from integrations.errors import Fate, Reason, UpstreamError
from tests.integrations.reports.answers import THREE_DAYS, body, bucket, money, recorded


def whole(*rows):
    return body(bucket("2026-11-17", *rows), bucket("2026-11-18"), bucket("2026-11-19"))


def refused(*bodies, window=THREE_DAYS, request_ids=()) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read_cost_report(window, bodies, request_ids)
    return caught.value


class TestCostReportRequest:
    def test_asks_for_everything_the_report_has(self):
        assert cost_report_request(THREE_DAYS).query == (
            ("starting_at", "2026-11-17T00:00:00Z"),
            ("ending_at", "2026-11-20T00:00:00Z"),
            ("bucket_width", "1d"),
            ("group_by[]", "workspace_id"),
            ("group_by[]", "description"),
            ("limit", "31"),
        )


class TestReadCostReport:
    def test_covers_days_without_cost(self):
        report = read_cost_report(THREE_DAYS, recorded("cost_report"))

        assert report.covered == set(THREE_DAYS.days())

    def test_keeps_null_and_empty_workspaces_apart(self):
        report = read_cost_report(THREE_DAYS, [whole(money(workspace_id=None), money(workspace_id=""))])

        assert [record.workspace_id for record in report.records] == [None, ""]

    def test_leaves_days_upstream_does_not_know_yet_uncovered(self):
        report = read_cost_report(THREE_DAYS, [body(bucket("2026-11-17", money()))])

        assert report.covered == {date(2026, 11, 17)}

    def test_covers_nothing_when_no_day_was_sent(self):
        report = read_cost_report(THREE_DAYS, [body()])

        assert (report.records, report.covered) == ([], frozenset())

    def test_reads_bounds_in_any_zone(self):
        shifted = {
            "starting_at": "2026-11-17T01:00:00+01:00",
            "ending_at": "2026-11-17T19:00:00-05:00",
            "results": [],
        }

        assert read_cost_report(THREE_DAYS, [body(shifted)]).covered == {date(2026, 11, 17)}

    def test_stores_what_is_known_of_a_day_that_still_runs(self):
        page = body(bucket("2026-11-17", money("100")), bucket("2026-11-18", money("5"), hours=14))

        reading = read_cost_report(THREE_DAYS, [page])

        assert [usd_text(record.amount_usd) for record in reading.records] == ["1.00", "0.05"]
        # Nothing is said of how far the days before it are known: as far as they were asked for.
        assert reading.as_of is None
        assert reading.day_ends == {date(2026, 11, 18): datetime(2026, 11, 18, 14, tzinfo=UTC)}

    def test_leaves_out_a_day_of_which_no_hour_has_passed(self):
        page = body(bucket("2026-11-17", money()), bucket("2026-11-18", hours=0))

        assert read_cost_report(THREE_DAYS, [page]).covered == {date(2026, 11, 17)}

    def test_keeps_a_column_that_is_no_text(self):
        (record,) = read_cost_report(THREE_DAYS, [whole(money(context_window={"max": 200000}))]).records

        assert (record.context_window, record.extra) == (
            '{"max":200000}',
            {"context_window": '{"max":200000}'},
        )

    def test_takes_an_amount_of_unusual_length(self):
        (record,) = read_cost_report(THREE_DAYS, [whole(money("132." + "0" * 80 + "45"))]).records

        assert usd_text(record.amount_usd) == "1.32" + "0" * 80 + "45"

    @pytest.mark.parametrize(
        ("page", "words"),
        [
            (body(bucket("2026-11-16")), "was not asked for"),
            (body(bucket("2026-11-20")), "was not asked for"),
            (body(bucket("2026-11-17", hours=1), bucket("2026-11-18")), "ends early"),
            (body(bucket("2026-11-17", hours=48)), "not one UTC day"),
            (body({**bucket("2026-11-17"), "starting_at": "2026-11-17T00:00:01Z"}), "not one UTC day"),
            (body(bucket("2026-11-17"), bucket("2026-11-17")), "holds 2026-11-17 twice"),
            (body(bucket("2026-11-18")), "leaves out 2026-11-17"),
            (body(bucket("2026-11-17"), bucket("2026-11-19")), "leaves out 2026-11-18"),
            (whole(money(currency="EUR")), "is in 'EUR', not in USD"),
            (whole(money("12,5")), "of 2026-11-17 cannot be read"),
            (whole(money("NaN")), "of 2026-11-17 cannot be read"),
            (whole(money("1e400")), "of 2026-11-17 cannot be read"),
            (whole(money(list_amount="x")), "of 2026-11-17 cannot be read"),
            (whole({"currency": "USD"}), "amount is missing"),
            (body(has_more=True, next_page="page_2"), "pages are not complete"),
        ],
    )
    def test_refuses_what_it_cannot_trust(self, page, words):
        error = refused(page)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail

    def test_refuses_a_day_twice_across_pages(self):
        first = body(bucket("2026-11-17"), has_more=True, next_page="page_2")

        assert "twice" in refused(first, body(bucket("2026-11-17"))).detail

    def test_refuses_two_last_pages(self):
        assert "not complete" in refused(body(bucket("2026-11-17")), body(bucket("2026-11-18"))).detail

    def test_refuses_no_pages(self):
        assert "not complete" in refused().detail

    def test_names_the_request_of_the_page_it_refuses(self):
        first = body(bucket("2026-11-17"), has_more=True, next_page="page_2")

        error = refused(first, body(bucket("2026-11-16")), request_ids=["req_1", "req_2"])

        assert error.request_id == "req_2"
        assert "req_2" in error.remedy

    def test_calls_a_damaged_archive_what_it_is(self):
        assert refused(b'{"data":').fate is Fate.RETRYABLE
