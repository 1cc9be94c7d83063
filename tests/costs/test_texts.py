"""Texts from upstream: bounded, still told apart, and the same wherever they come in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs import texts
from costs.records import CostRecord, NameRecord, Origin, merge_equal_keys, row_key
from costs.usage_records import ActivityRecord, UsageRecord

DAY = dt.date(2026, 11, 1)
LONG = "claude-" + "x" * 2_000_000
FRAME = {"day": DAY, "origin": Origin.CLAUDE_PLATFORM, "source": "report"}


def cost(**fields: object) -> CostRecord:
    return CostRecord(**FRAME, amount_usd=Decimal(1), **fields)


class TestShorten:
    @pytest.mark.parametrize("text", ["", "claude-opus-4", "x" * texts.MOST_CHARACTERS])
    def test_leaves_what_is_short_enough(self, text):
        assert texts.shorten(text) == text

    def test_keeps_the_beginning_for_people(self):
        assert texts.shorten(LONG).startswith("claude-xxx")
        assert len(texts.shorten(LONG)) == texts.MOST_CHARACTERS

    def test_tells_two_apart_that_begin_alike(self):
        assert texts.shorten(LONG + "a") != texts.shorten(LONG + "b")

    @given(st.text(max_size=1000), st.integers(40, 500))
    def test_is_done_once(self, text, most):
        once = texts.shorten(text, most)

        assert len(once) <= most
        assert texts.shorten(once, most) == once


class TestFields:
    def test_bound_names_values_and_what_is_nested(self):
        found = texts.shorten_fields({LONG: LONG, "nested": {"a": [LONG]}, "few": [1], "n": 1, "none": None})

        assert max(map(len, found)) <= texts.MOST_CHARACTERS
        assert len(found["nested"]) == texts.MOST_CHARACTERS
        assert (found["few"], found["n"], found["none"]) == ([1], 1, None)

    def test_beyond_the_most_are_kept_as_one_text_that_differs_with_them(self):
        many = {f"f{n:04}": "v" for n in range(1000)}

        found, other = texts.shorten_fields(many), texts.shorten_fields({**many, "f0999": "w"})

        assert len(found) == texts.MOST_FIELDS
        assert found[texts.REST] != other[texts.REST]


class TestCounts:
    def test_beyond_the_most_are_added_up_and_none_is_lost(self):
        found = texts.shorten_counts({f"tool{n}": 1 for n in range(1000)})

        assert len(found) == texts.MOST_FIELDS
        assert sum(found.values()) == 1000

    @given(st.dictionaries(st.text(max_size=3), st.integers(0, 9), min_size=80, max_size=200))
    def test_keep_their_sum_when_they_are_bounded_again(self, counts):
        once = texts.shorten_counts(counts)

        again = texts.shorten_counts({**once, **{f"\U0001f300{n}": 1 for n in range(60)}})

        assert sum(once.values()) == sum(counts.values())
        assert sum(again.values()) == sum(counts.values()) + 60
        assert len(again) == texts.MOST_FIELDS


class TestRecords:
    @pytest.mark.parametrize("name", CostRecord.KEY)
    def test_of_cost_bound_every_dimension_and_stay_apart(self, name):
        one, other = cost(**{name: LONG + "a"}), cost(**{name: LONG + "b"})

        assert len(getattr(one, name)) == texts.MOST_CHARACTERS
        assert row_key(one) != row_key(other)
        assert len(merge_equal_keys([one, other])) == 2

    @pytest.mark.parametrize("name", UsageRecord.KEY)
    def test_of_usage_do_too(self, name):
        found = UsageRecord(**FRAME, **{name: LONG}, other_counts={LONG: 1})

        assert len(getattr(found, name)) == texts.MOST_CHARACTERS
        assert [len(each) for each in found.other_counts] == [texts.MOST_CHARACTERS]

    @pytest.mark.parametrize("name", ActivityRecord.KEY)
    def test_of_activity_do_too(self, name):
        counts = {"tool_actions": {LONG: 1}, "model_tokens": {LONG: 2}}
        found = ActivityRecord(**FRAME, estimated_cost_usd=Decimal(0), **{name: LONG}, **counts)

        assert len(getattr(found, name)) == texts.MOST_CHARACTERS
        assert [*map(len, [*found.tool_actions, *found.model_tokens])] == [texts.MOST_CHARACTERS] * 2

    def test_bound_what_they_do_not_know(self):
        assert len(cost(extra={"new": LONG}).extra["new"]) == texts.MOST_CHARACTERS

    def test_of_names_meet_the_ids_of_costs(self):
        named = NameRecord(kind="workspace", resource_id=LONG, name=LONG, attributes={"tags": [LONG]})

        assert named.resource_id == cost(workspace_id=LONG).workspace_id
        assert len(named.name) == len(named.attributes["tags"]) == texts.MOST_CHARACTERS

    def test_with_short_texts_have_the_key_they_always_had(self):
        """Worked out before texts were bounded: another key would restate every stored row."""
        known = cost(model="claude-opus-4", description="Input")

        assert row_key(known).hex() == "c6c23643ceab8de4d15b048e194f9f2d"
