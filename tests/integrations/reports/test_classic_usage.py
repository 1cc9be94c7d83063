from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from integrations.anthropic.reports.classic_usage import read_usage_report, usage_report_request
from integrations.errors import Fate, Reason
from tests.integrations.reports.answers import THREE_DAYS, body, bucket, refusal, tokens


def whole(*rows):
    return body(bucket("2026-11-17", *rows), bucket("2026-11-18"), bucket("2026-11-19"))


def test_the_request_asks_for_the_five_dimensions_upstream_allows():
    assert usage_report_request(THREE_DAYS).query == (
        ("starting_at", "2026-11-17T00:00:00Z"),
        ("ending_at", "2026-11-20T00:00:00Z"),
        ("bucket_width", "1d"),
        ("group_by[]", "api_key_id"),
        ("group_by[]", "account_id"),
        ("group_by[]", "workspace_id"),
        ("group_by[]", "model"),
        ("group_by[]", "service_tier"),
        ("limit", "31"),
    )


class TestReadUsageReport:
    def test_covers_days_without_usage(self):
        assert read_usage_report(THREE_DAYS, [whole()]).covered == set(THREE_DAYS.days())

    def test_leaves_days_upstream_does_not_know_yet_uncovered(self):
        reading = read_usage_report(THREE_DAYS, [body(bucket("2026-11-17", tokens()))])

        assert reading.covered == {date(2026, 11, 17)}

    def test_tells_by_when_a_day_that_still_runs_is_known(self):
        page = body(bucket("2026-11-17", tokens()), bucket("2026-11-18", tokens(), hours=14))

        reading = read_usage_report(THREE_DAYS, [page])

        assert reading.as_of is None
        assert reading.day_ends == {date(2026, 11, 18): datetime(2026, 11, 18, 14, tzinfo=UTC)}

    def test_keeps_an_odd_row_and_the_others_beside_it(self):
        odd, fine = read_usage_report(
            THREE_DAYS, [whole(tokens(1.5, model=7, output_tokens=3), tokens(2, model="m"))]
        ).records

        assert (odd.model, odd.output_tokens, odd.uncached_input_tokens) == ("7", 3, 0)
        assert odd.extra == {"model": 7, "uncached_input_tokens": "1.5"}
        assert fine.uncached_input_tokens == 2

    def test_sums_equal_keys(self):
        reading = read_usage_report(THREE_DAYS, [whole(tokens(1, model="m"), tokens(2, model="m"))])

        assert [record.uncached_input_tokens for record in reading.records] == [3]

    def test_keeps_null_and_empty_apart(self):
        rows = [tokens(workspace_id=None), tokens(workspace_id="")]

        assert [record.workspace_id for record in read_usage_report(THREE_DAYS, [whole(*rows)]).records] == [
            None,
            "",
        ]

    @pytest.mark.parametrize(
        ("row", "actor"),
        [
            (tokens(account_id="user_1", api_key_id="apikey_1"), ("user_actor", "user_1")),
            (
                tokens(service_account_id="svac_1", api_key_id="apikey_1"),
                ("service_account_actor", "svac_1"),
            ),
            (tokens(account_id=None, api_key_id="apikey_1"), ("api_actor", "apikey_1")),
            (tokens(account_id=None, api_key_id=None), (None, None)),
        ],
    )
    def test_says_whose_a_row_is(self, row, actor):
        record = read_usage_report(THREE_DAYS, [whole(row)]).records[0]

        assert (record.actor_type, record.actor_id) == actor

    @pytest.mark.parametrize(
        ("page", "words"),
        [
            (body(bucket("2026-11-16")), "was not asked for"),
            (body(bucket("2026-11-17", hours=25)), "not one UTC day"),
            (body(bucket("2026-11-17"), bucket("2026-11-17")), "twice"),
            (body(bucket("2026-11-18")), "leaves out 2026-11-17"),
            (body(bucket("2026-11-17", hours=1), bucket("2026-11-18")), "ends early"),
            (whole({}), "can be read"),
            (body({**bucket("2026-11-17"), "results": None}), "results is not a list"),
            (body(has_more=True, next_page="p"), "not complete"),
        ],
    )
    def test_refuses_what_it_cannot_trust(self, page, words):
        error = refusal(read_usage_report, THREE_DAYS, [page])

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail
