from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs.records import (
    DIMENSIONS,
    CostRecord,
    NameRecord,
    Origin,
    day_digest,
    merge_equal_keys,
    row_key,
)

DAY = date(2026, 11, 19)


def record(amount: str = "1.00", **columns) -> CostRecord:
    given_columns = {
        "day": DAY,
        "origin": Origin.CLAUDE_PLATFORM,
        "source": "cost_report",
        "amount_usd": Decimal(amount),
        **columns,
    }
    return CostRecord(**given_columns)


class TestCostRecord:
    def test_lists_every_text_dimension_as_part_of_its_identity(self):
        """A column added to the record but not to DIMENSIONS would let rows overwrite each other."""
        not_dimensions = {"day", "origin", "source", "amount_usd", "list_amount_usd", "extra"}

        assert {column.name for column in fields(CostRecord)} - not_dimensions == set(DIMENSIONS)

    def test_refuses_a_moment_as_day(self):
        with pytest.raises(TypeError, match="day"):
            record(day=datetime(2026, 11, 19, tzinfo=UTC))

    @pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("Infinity"), 1.5, 1, "1.00"])
    def test_refuses_an_amount_that_is_not_a_finite_decimal(self, amount):
        with pytest.raises(ValueError, match="finite Decimal"):
            record(amount_usd=amount)

    def test_refuses_a_float_as_list_amount(self):
        with pytest.raises(ValueError, match="finite Decimal"):
            record(list_amount_usd=1.5)

    @pytest.mark.parametrize("value", [{}, [], 1.5, Decimal(1)])
    def test_refuses_nested_and_fractional_extras(self, value):
        with pytest.raises(TypeError, match="extra"):
            record(extra={"new_field": value})


class TestRowKey:
    def test_is_sixteen_bytes(self):
        assert len(row_key(record())) == 16

    def test_stays_what_it_is(self):
        """Keys are stored: a release that changed them would rewrite every row of every installation."""
        full = record(**dict.fromkeys(set(DIMENSIONS) - {"attribution"}, "é"))

        assert row_key(full).hex() == "6e659718a7b53c31071f6d56e7e12dc6"

    @pytest.mark.parametrize("name", DIMENSIONS)
    def test_differs_by_every_dimension_and_between_null_and_empty(self, name):
        keys = {row_key(record(**{name: value})) for value in (None, "", "a", "b")}

        assert len(keys) == 4

    def test_does_not_confuse_one_dimension_with_another(self):
        assert len({row_key(record(**{name: "same"})) for name in DIMENSIONS}) == len(DIMENSIONS)

    def test_differs_by_origin_and_source(self):
        keys = {row_key(record()), row_key(record(origin=Origin.CLAUDE_AI)), row_key(record(source="other"))}

        assert len(keys) == 3

    @pytest.mark.parametrize("value", ["1", 1, True, "", None])
    def test_leaves_out_fields_that_we_do_not_know(self, value):
        """Upstream adds them at any time; the row is still the same money."""
        assert row_key(record(extra={"new": value})) == row_key(record())

    def test_leaves_day_and_amounts_out(self):
        other = record("9", day=date(2026, 11, 20), list_amount_usd=Decimal(3))

        assert row_key(other) == row_key(record())

    def test_accepts_text_that_utf8_cannot_spell(self):
        assert row_key(record(description="\ud800")) != row_key(record(description="\ud801"))


class TestMergeEqualKeys:
    def test_sums_rows_of_equal_day_and_key(self):
        merged = merge_equal_keys([record("0.1"), record("0.2"), record("5", model="a")])

        assert merged == [record("0.3"), record("5", model="a")]

    def test_keeps_days_apart(self):
        days = [record(), record(day=date(2026, 11, 20))]

        assert merge_equal_keys(days) == days

    def test_keeps_null_and_empty_apart(self):
        rows = [record(workspace_id=None), record(workspace_id="")]

        assert merge_equal_keys(rows) == rows

    def test_sums_list_amounts_when_all_have_one(self):
        merged = merge_equal_keys([record(list_amount_usd=Decimal(2)), record(list_amount_usd=Decimal(3))])

        assert merged == [record("2", list_amount_usd=Decimal(5))]

    @pytest.mark.parametrize("amounts", [(Decimal(2), None), (None, Decimal(2))])
    def test_knows_no_list_amount_when_one_is_missing(self, amounts):
        merged = merge_equal_keys([record(list_amount_usd=amount) for amount in amounts])

        assert merged == [record("2", list_amount_usd=None)]

    def test_keeps_a_sum_of_zero(self):
        assert merge_equal_keys([record("1"), record("-1")]) == [record("0")]


rows = st.lists(
    st.builds(
        record,
        st.decimals(min_value=-1000, max_value=1000, places=8).map(str),
        model=st.sampled_from([None, "", "a", "b"]),
        workspace_id=st.sampled_from([None, "w"]),
    ),
    max_size=12,
)


class TestDayDigest:
    @given(rows, st.randoms(use_true_random=False))
    def test_does_not_depend_on_order(self, some, random):
        shuffled = random.sample(some, len(some))

        assert day_digest(some) == day_digest(shuffled)

    @given(rows)
    def test_is_the_same_before_and_after_merging(self, some):
        assert day_digest(some) == day_digest(merge_equal_keys(some))

    def test_treats_equal_amounts_as_equal(self):
        assert day_digest([record("1.0")]) == day_digest([record("1.00")]) == day_digest([record("1")])

    def test_differs_by_the_last_digit_of_an_amount(self):
        assert day_digest([record("1.00000000000001")]) != day_digest([record("1.00000000000002")])

    def test_differs_by_list_amount(self):
        digests = {day_digest([record(list_amount_usd=amount)]) for amount in (None, Decimal(0), Decimal(1))}

        assert len(digests) == 3

    def test_differs_by_key(self):
        assert day_digest([record(model="a")]) != day_digest([record(model="b")])

    def test_differs_by_fields_that_we_do_not_know_and_their_types(self):
        values = ["1", 1, True, "true", 0, False, ""]

        assert len({day_digest([record(extra={"new": value})]) for value in values}) == len(values)

    def test_does_not_depend_on_the_order_of_unknown_fields(self):
        one, other = record(extra={"a": "1", "b": "2"}), record(extra={"b": "2", "a": "1"})

        assert day_digest([one]) == day_digest([other])

    def test_counts_a_null_unknown_field_as_absent(self):
        """Upstream announces fields as nulls first; that must not rewrite every row."""
        assert day_digest([record(extra={"new": None})]) == day_digest([record()])

    def test_has_a_value_for_a_day_without_rows(self):
        assert day_digest([]) != day_digest([record("0")])

    def test_refuses_rows_of_several_days(self):
        with pytest.raises(ValueError, match="one day"):
            day_digest([record(), replace(record(), day=date(2026, 11, 20))])


class TestNameRecord:
    def test_needs_no_more_than_kind_id_and_name(self):
        name = NameRecord(kind="workspace", resource_id="wrkspc_1", name="Search")

        assert (name.archived_at, name.is_default, name.attributes) == (None, False, {})
