from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costs.records import Origin, day_digest
from foundation.money import usd_text
from integrations.anthropic.reports.analytics import AnalyticsQuery, glance_request
from integrations.errors import Fate, Reason
from tests.integrations.reports.answers import THREE_DAYS, body, bounds, money, refusal, tokens
from tests.integrations.reports.reading import total

COST = AnalyticsQuery("analytics_cost", Origin.CLAUDE_PLATFORM, "cost", ("actor", "model"))
USAGE = AnalyticsQuery("analytics_usage", Origin.CLAUDE_PLATFORM, "usage", ("actor", "model"))
REFRESHED = "2026-11-20T11:00:00Z"


def cost_row(day="2026-11-17", amount="100", hours=24, group=None, **cost):
    group = {"model": "m", **(group or {})}
    return {
        **bounds(day, hours=hours),
        "group": group,
        "cost": money(amount, **{"list_amount": amount, **cost}),
    }


def usage_row(day="2026-11-17", uncached=1, **group):
    return {**bounds(day), "group": group, "usage": tokens(uncached)}


def page(*rows, refreshed=REFRESHED, **document):
    return body(*rows, data_refreshed_at=refreshed, **document)


def read(*rows, query=COST, refreshed=REFRESHED):
    return query.read(THREE_DAYS, [page(*rows, refreshed=refreshed)])


class TestFirstPage:
    def test_asks_by_day_in_an_order_that_stays(self):
        assert COST.first_page(THREE_DAYS).query == (
            ("starting_at", "2026-11-17T00:00:00Z"),
            ("ending_at", "2026-11-20T00:00:00Z"),
            ("time_bucket_width", "1d"),
            ("group_by[]", "actor"),
            ("group_by[]", "model"),
            ("group_by[]", "cost_type"),
            ("group_by[]", "token_type"),
            ("order_by", "time"),
            ("order", "asc"),
            ("limit", "1000"),
        )

    def test_asks_for_types_of_cost_only_where_there_is_cost(self):
        assert ("group_by[]", "cost_type") not in USAGE.first_page(THREE_DAYS).query

    def test_is_another_endpoint_for_each_measure(self):
        assert COST.first_page(THREE_DAYS).path == "/v1/organizations/analytics/cost"
        assert USAGE.first_page(THREE_DAYS).path == "/v1/organizations/analytics/usage"


def test_a_glance_asks_for_one_sum():
    assert glance_request("usage", THREE_DAYS).query == (
        ("starting_at", "2026-11-17T00:00:00Z"),
        ("ending_at", "2026-11-20T00:00:00Z"),
        ("limit", "1"),
    )


class TestCoverage:
    def test_reaches_to_the_end_of_the_data_also_without_rows(self):
        reading = read(refreshed="2026-11-18T20:00:00Z")

        assert reading.covered == {date(2026, 11, 17), date(2026, 11, 18)}
        assert reading.as_of == datetime(2026, 11, 18, 20, tzinfo=UTC)

    @pytest.mark.parametrize("refreshed", [None, "2026-11-17T00:00:00Z"])
    def test_is_nothing_before_upstream_has_the_window(self, refreshed):
        reading = read(cost_row(), refreshed=refreshed)

        assert (list(reading.records), reading.covered, list(reading.names)) == ([], frozenset(), [])

    def test_is_nothing_as_soon_as_one_page_does_not_know(self):
        pages = [page(cost_row(), has_more=True, next_page="p2"), page(refreshed=None)]

        assert COST.read(THREE_DAYS, pages).covered == frozenset()

    def test_leaves_out_rows_of_days_that_begin_after_the_data_ends(self):
        reading = read(cost_row(), cost_row("2026-11-19"), refreshed="2026-11-19T00:00:00Z")

        assert [record.day for record in reading.records] == [date(2026, 11, 17)]

    def test_restarts_when_the_data_was_refreshed_between_two_pages(self):
        pages = [page(has_more=True, next_page="p2"), page(refreshed="2026-11-20T12:00:00Z")]

        assert refusal(COST.read, THREE_DAYS, pages).fate is Fate.RESTART

    def test_takes_a_running_day_that_ends_with_the_data(self):
        reading = read(cost_row("2026-11-19", hours=11), refreshed="2026-11-19T11:00:00Z")

        assert [record.day for record in reading.records] == [date(2026, 11, 19)]


class TestRows:
    def test_of_equal_visible_keys_are_summed(self):
        reading = read(cost_row(group={"actor": None}), cost_row(amount="0.5"), cost_row("2026-11-18"))

        assert [(record.day.day, str(record.amount_usd)) for record in reading.records] == [
            (17, "1.005"),
            (18, "1.00"),
        ]

    def test_may_be_negative(self):
        assert str(read(cost_row(amount="-12.5")).records[0].amount_usd) == "-0.125"

    def test_keep_a_dimension_that_no_column_has(self):
        reading = read(cost_row(group={"agent_id": "agent_1", "planet": "moon", "orbit": None}))

        assert reading.records[0].extra == {"agent_id": "agent_1", "planet": "moon"}

    def test_keep_new_fields_beside_group_and_amount(self):
        row = {**cost_row(credit_note="CN-1"), "lane": "express"}

        assert read(row).records[0].extra == {"lane": "express", "credit_note": "CN-1"}

    def test_have_the_kind_of_actor_even_if_the_actor_is_hidden(self):
        record = read(cost_row(group={"actor": None, "actor_type": "user_actor"})).records[0]

        assert (record.actor_type, record.actor_id) == ("user_actor", None)

    def test_have_one_name_for_each_person(self):
        actors = [
            {"type": "user_actor", "user_id": "user_1", "name": name, "deleted": False}
            for name in ("Kim", "Kim K")
        ]

        reading = read(*(cost_row(group={"actor": actor}) for actor in actors))

        assert [name.name for name in reading.names] == ["Kim K"]

    @pytest.mark.parametrize(
        ("group", "column", "value", "kept"),
        [
            ({"actor": "user_1"}, "actor_id", None, {"actor": "user_1"}),
            ({"model": 5}, "model", "5", {"model": 5}),
            ({"speed": ["fast"]}, "speed", '["fast"]', {"speed": '["fast"]'}),
        ],
    )
    def test_are_kept_with_an_odd_field_and_beside_one(self, group, column, value, kept):
        odd, fine = read(cost_row(group=group), cost_row(amount="200", group={"model": "n"})).records

        assert (getattr(odd, column), odd.extra) == (value, kept)
        assert [usd_text(each.amount_usd) for each in (odd, fine)] == ["1.00", "2.00"]

    def test_of_a_day_that_ends_early_are_known_by_then(self):
        """The bucket of today ends at the current hour, which may lie before the data does."""
        reading = read(
            cost_row("2026-11-18"), cost_row("2026-11-19", hours=8), refreshed="2026-11-19T09:30:00Z"
        )

        assert reading.covered == set(THREE_DAYS.days())
        assert reading.day_ends == {date(2026, 11, 19): datetime(2026, 11, 19, 8, tzinfo=UTC)}

    def test_of_the_days_before_it_are_known_by_where_the_data_ends(self):
        reading = read(
            cost_row("2026-11-18"), cost_row("2026-11-19", hours=8), refreshed="2026-11-19T09:30:00Z"
        )

        assert reading.as_of == datetime(2026, 11, 19, 9, 30, tzinfo=UTC)

    def test_without_a_list_price_have_none(self):
        row = {**bounds("2026-11-17"), "group": {}, "cost": money()}

        assert read(row).records[0].list_amount_usd is None

    @pytest.mark.parametrize(
        ("query", "row", "words"),
        [
            (COST, cost_row("2026-11-16"), "was not asked for"),
            (COST, cost_row("2026-11-20"), "was not asked for"),
            (COST, cost_row(hours=25), "not one UTC day"),
            (COST, cost_row(amount="12,5"), "of 2026-11-17 cannot be read"),
            (COST, cost_row(amount="NaN"), "cannot be read"),
            (COST, cost_row(list_amount="x"), "cannot be read"),
            (COST, cost_row(currency="EUR"), "is in 'EUR', not in USD"),
            (COST, cost_row(currency=None), "currency is missing"),
            (COST, {**cost_row(), "cost": None}, "cost is not an object"),
            (COST, {**cost_row(), "group": None}, "group is not an object"),
            (USAGE, {**usage_row(), "usage": {}}, "can be read"),
        ],
    )
    def test_are_refused_when_they_cannot_be_trusted(self, query, row, words):
        error = refusal(lambda: read(row, query=query))

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail


AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, places=14).map("{:f}".format)
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["a", "b", None]), AMOUNTS),
    max_size=30,
)


class TestWhateverComes:
    @settings(max_examples=50)
    @given(rows=ROWS, cuts=st.lists(st.integers(0, 30), max_size=3))
    def test_no_cent_is_lost_and_no_cut_into_pages_matters(self, rows, cuts):
        """Sums stay exact, equal keys become one record, and pages are only a way to send rows."""
        sent = [
            cost_row((THREE_DAYS.start + timedelta(days=day)).isoformat(), amount, group={"model": model})
            for day, model, amount in rows
        ]

        whole, paged = COST.read(THREE_DAYS, [page(*sent)]), COST.read(THREE_DAYS, in_pages(sent, cuts))

        assert total(record.amount_usd for record in whole.records) == sum(
            (Fraction(amount) / 100 for _, _, amount in rows), Fraction()
        )
        assert len(whole.records) == len({(day, model) for day, model, _ in rows})
        assert [record.value_texts() for record in paged.records] == [
            record.value_texts() for record in whole.records
        ]

    @settings(max_examples=50)
    @given(rows=st.permutations([("a", "1"), ("b", "2.5"), ("a", "0.00000000000001"), (None, "-3")]))
    def test_the_order_of_rows_does_not_matter(self, rows):
        reading = read(*(cost_row(amount=amount, group={"model": model}) for model, amount in rows))

        assert day_digest(reading.records) == day_digest(
            read(
                cost_row(amount="1.00000000000001", group={"model": "a"}),
                cost_row(amount="2.5", group={"model": "b"}),
                cost_row(amount="-3", group={"model": None}),
            ).records
        )


def in_pages(rows, cuts):
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [rows[start:stop] for start, stop in pairwise(edges)]
    last = len(parts) - 1
    return [
        page(*part, has_more=number != last, next_page=f"p{number}" if number != last else None)
        for number, part in enumerate(parts)
    ]


def test_a_page_reads_the_same_in_any_spelling_of_json():
    document = json.loads(page(cost_row(group={"actor": None})))

    spelt = json.dumps(document, indent=3, sort_keys=True).encode()

    assert COST.read(THREE_DAYS, [spelt]) == COST.read(THREE_DAYS, [page(cost_row(group={"actor": None}))])
