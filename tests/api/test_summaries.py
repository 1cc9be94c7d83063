"""Rows of a sum under the names of now or of each day: what is put together, added, and in which order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest

from costs.api.summaries import Measure, Namer, Naming, worded

OCTOBER, NOVEMBER = dt.date(2026, 10, 1), dt.date(2026, 11, 1)
RENAMED = dt.date(2026, 10, 15)


@dataclass
class Row:
    bucket: dt.date | None
    group: dict[str, str | None]
    tokens: int
    before: int | None = None


class Words(Namer):
    """Calls every workspace Old until the day it was renamed, and New from then on."""

    def word(self, group, day=None):
        return {**group, "workspace_name": "Old" if day and day < RENAMED else "New"}


TOKENS: Measure[int] = Measure(
    value=lambda row: row.tokens,
    previous=lambda row: row.before,
    add=lambda one, other: one + other,
    size=lambda tokens: tokens,
)
WORDS = Words({}, {})
ONE, OTHER = {"workspace_id": "one"}, {"workspace_id": "other"}


def found(rows, naming) -> list[tuple]:
    return [
        (row.bucket, row.group["workspace_id"], row.group["workspace_name"], row.value, row.previous)
        for row in worded(rows, WORDS, naming, TOKENS)
    ]


class TestNamer:
    def test_leaves_a_text_of_upstream_that_begins_like_a_value_of_ours(self):
        assert Namer({}, {}).word({"description": "~5 % less"}) == {"description": "~5 % less"}

    def test_gives_rows_of_no_workspace_neither_id_nor_name(self):
        assert Namer({}, {}).word({"workspace_id": "~claude_ai"}) == {
            "workspace_id": None,
            "workspace_name": None,
        }


class TestNamesOfNow:
    def test_keep_rows_and_order_as_they_were_summed(self):
        rows = [Row(OCTOBER, ONE, 1), Row(OCTOBER, OTHER, 5, 2)]

        assert found(rows, Naming(by_day=False, granularity="month")) == [
            (OCTOBER, "one", "New", 1, None),
            (OCTOBER, "other", "New", 5, 2),
        ]


class TestNamesOfDays:
    DAYS = (
        Row(dt.date(2026, 11, 2), ONE, 9),
        Row(dt.date(2026, 10, 1), ONE, 1),
        Row(dt.date(2026, 10, 14), ONE, 2),
        Row(dt.date(2026, 10, 15), ONE, 4),
        Row(dt.date(2026, 10, 20), OTHER, 30),
    )

    def test_split_a_group_that_was_renamed_largest_first(self):
        assert found(self.DAYS, Naming(by_day=True, granularity="month")) == [
            (OCTOBER, "other", "New", 30, None),
            (OCTOBER, "one", "New", 4, None),
            (OCTOBER, "one", "Old", 3, None),
            (NOVEMBER, "one", "New", 9, None),
        ]

    def test_are_put_together_over_the_whole_range(self):
        assert found(self.DAYS, Naming(by_day=True, granularity="total")) == [
            (None, "other", "New", 30, None),
            (None, "one", "New", 13, None),
            (None, "one", "Old", 3, None),
        ]

    @pytest.mark.parametrize(
        ("one", "other", "both"), [(10, 20, 30), (None, 20, None), (10, None, None), (None, None, None)]
    )
    def test_compare_only_what_was_known_of_every_day(self, one, other, both):
        rows = [Row(dt.date(2026, 10, 1), ONE, 1, one), Row(dt.date(2026, 10, 2), ONE, 2, other)]

        assert found(rows, Naming(by_day=True, granularity="total")) == [(None, "one", "Old", 3, both)]
