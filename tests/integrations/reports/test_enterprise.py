from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from integrations.anthropic import endpoints
from integrations.anthropic.reports.enterprise import EnterpriseQuery
from integrations.errors import Fate, Reason
from tests.integrations.reports.answers import THREE_DAYS, body, bounds, bucket, money, refusal, tokens

TOTAL = EnterpriseQuery("enterprise_cost_report", endpoints.ENTERPRISE_COST)
BY_PRODUCT = EnterpriseQuery("enterprise_cost_by_product", endpoints.ENTERPRISE_COST, ("product", "model"))
USAGE = EnterpriseQuery("enterprise_usage_report", endpoints.ENTERPRISE_USAGE, ("product", "model"))
USERS = EnterpriseQuery("enterprise_user_cost_report", endpoints.ENTERPRISE_USER_COST, ("product", "model"))
USER_USAGE = EnterpriseQuery("enterprise_user_usage_report", endpoints.ENTERPRISE_USER_USAGE)
KIM = {"type": "user_actor", "user_id": "user_1", "name": "Kim", "deleted": False}
REFRESHED = "2026-11-20T06:00:00Z"


def page(*rows, refreshed=REFRESHED, **document):
    return body(*rows, data_refreshed_at=refreshed, **document)


def whole(*results):
    return page(bucket("2026-11-17", *results), bucket("2026-11-18"), bucket("2026-11-19"))


def user_row(day="2026-11-17", actor=KIM, **row):
    return {**bounds(day), "actor": actor, **money("100", list_amount="100"), **row}


class TestFirstPage:
    @pytest.mark.parametrize(
        ("query", "limit"), [(TOTAL, "31"), (USAGE, "31"), (USERS, "1000"), (USER_USAGE, "1000")]
    )
    def test_counts_days_or_rows(self, query, limit):
        assert query.first_page(THREE_DAYS).query[-1] == ("limit", limit)

    def test_of_the_total_groups_by_nothing(self):
        """Whatever is grouped may be cut off after a hundred groups; the total cannot."""
        assert [name for name, _ in TOTAL.first_page(THREE_DAYS).query] == [
            "starting_at", "ending_at", "bucket_width", "limit",
        ]  # fmt: skip


class TestBuckets:
    def test_cover_the_days_that_began_before_the_data_ends(self):
        page_ = page(
            bucket("2026-11-17", money()), bucket("2026-11-18"), bucket("2026-11-19"),
            refreshed="2026-11-18T20:00:00Z",
        )  # fmt: skip

        assert TOTAL.read(THREE_DAYS, [page_]).covered == {date(2026, 11, 17), date(2026, 11, 18)}

    def test_that_were_not_sent_are_not_covered(self):
        assert TOTAL.read(THREE_DAYS, [page(bucket("2026-11-17"))]).covered == {date(2026, 11, 17)}

    def test_without_an_export_cover_nothing(self):
        empty = page(bucket("2026-11-17"), bucket("2026-11-18"), refreshed=None)

        reading = TOTAL.read(THREE_DAYS, [empty])

        assert (list(reading.records), reading.covered, reading.as_of) == ([], frozenset(), None)

    def test_that_end_early_leave_the_others_known_by_where_the_data_ends(self):
        running = page(bucket("2026-11-17"), bucket("2026-11-18", hours=6), refreshed="2026-11-18T07:10:00Z")

        reading = TOTAL.read(THREE_DAYS, [running])

        assert reading.as_of == datetime(2026, 11, 18, 7, 10, tzinfo=UTC)
        assert reading.day_ends == {date(2026, 11, 18): datetime(2026, 11, 18, 6, tzinfo=UTC)}

    def test_may_end_where_the_data_ends(self):
        running = page(bucket("2026-11-17", money(), hours=6), refreshed="2026-11-17T06:00:00Z")

        assert len(TOTAL.read(THREE_DAYS, [running]).records) == 1

    @pytest.mark.parametrize("count", [100, 150])
    def test_with_as_many_groups_as_upstream_shows_are_refused(self, count):
        results = [money(product=f"p{number}") for number in range(count)]

        error = refusal(BY_PRODUCT.read, THREE_DAYS, [whole(*results)])

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert f"2026-11-17 has {count} groups, of which upstream shows 100 at most" in error.detail

    def test_with_fewer_groups_are_whole(self):
        results = [money(product=f"p{number}") for number in range(99)]

        assert len(BY_PRODUCT.read(THREE_DAYS, [whole(*results)]).records) == 99

    def test_of_usage_are_read_like_those_of_cost(self):
        record = USAGE.read(
            THREE_DAYS, [whole(tokens(5, product="claude-tag", requests=2, rbac_group_id=None))]
        ).records[0]

        assert (record.product, record.uncached_input_tokens, record.requests) == ("claude_tag", 5, 2)
        assert record.extra == {}

    @pytest.mark.parametrize(
        ("query", "page_", "words"),
        [
            (TOTAL, page(bucket("2026-11-16")), "was not asked for"),
            (TOTAL, page(bucket("2026-11-18")), "leaves out 2026-11-17"),
            (TOTAL, page(bucket("2026-11-17"), bucket("2026-11-17")), "twice"),
            (TOTAL, whole(money("x")), "cannot be read"),
            (TOTAL, whole(money(currency="EUR")), "not in USD"),
            (TOTAL, page({**bounds("2026-11-17")}), "results is not a list"),
            (USAGE, whole({"model": "m"}), "can be read"),
            (USERS, page(user_row("2026-11-20")), "was not asked for"),
            (USERS, page({**user_row(), "starting_at": None}), "starting_at is missing"),
            (USERS, page(user_row(amount=5)), "amount is not text"),
        ],
    )
    def test_are_refused_when_they_cannot_be_trusted(self, query, page_, words):
        error = refusal(query.read, THREE_DAYS, [page_])

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail

    def test_of_two_refreshes_restart_the_query(self):
        pages = [
            page(bucket("2026-11-17"), has_more=True, next_page="p2"),
            page(refreshed="2026-11-20T10:00:00Z"),
        ]

        assert refusal(TOTAL.read, THREE_DAYS, pages).fate is Fate.RESTART


class TestUsers:
    def test_cover_days_without_rows(self):
        assert USERS.read(THREE_DAYS, [page(user_row())]).covered == set(THREE_DAYS.days())

    def test_are_named_beside_their_rows(self):
        reading = USERS.read(THREE_DAYS, [page(user_row(), user_row("2026-11-18"))])

        assert [(name.resource_id, name.name, name.is_listed) for name in reading.names] == [
            ("user_1", "Kim", False)
        ]

    def test_may_have_no_name(self):
        reading = USERS.read(THREE_DAYS, [page(user_row(actor={"type": "user_actor", "user_id": "user_2"}))])

        assert (reading.records[0].actor_id, list(reading.names)) == ("user_2", [])

    def test_keep_what_no_column_has(self):
        reading = USERS.read(THREE_DAYS, [page(user_row(rbac_group_id="rbac_group_1", orbit=None))])

        assert reading.records[0].extra == {"rbac_group_id": "rbac_group_1", "orbit": None}
