from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costs.news import News
from costs.records import CostRecord, Origin
from costs.usage_records import UsageRecord
from integrations.anthropic.reports.fields import ABSENT
from integrations.anthropic.vocabulary import list_news

MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 17)


def cost(day=MONDAY, **columns):
    return CostRecord(
        day=day, origin=Origin.CLAUDE_PLATFORM, source="cost_report", amount_usd=Decimal(1), **columns
    )


def used(**columns):
    return UsageRecord(day=MONDAY, origin=Origin.CLAUDE_PLATFORM, source="usage_report", **columns)


class TestListNews:
    def test_is_nothing_where_all_words_are_known(self):
        rows = [cost(model="m", token_type="output_tokens", service_tier="batch"), used(speed="fast")]

        assert list_news(rows) == []

    @pytest.mark.parametrize(
        ("row", "news"),
        [
            (cost(cost_type="credit"), ("value", "cost_type", "credit")),
            (cost(extra={"new_dimension": "standard"}), ("field", "new_dimension", "standard")),
            (cost(extra={"flag": True}), ("field", "flag", "true")),
            (used(other_counts={"thinking_tokens": 3}), ("count", "thinking_tokens", "")),
            (used(extra={"output_tokens": ABSENT}), ("unread", "output_tokens", ABSENT)),
            (used(extra={"model": 5}, model="5"), ("unread", "model", "5")),
        ],
    )
    def test_names_what_is_not_known(self, row, news):
        assert list_news([row]) == [News(row.source, *news, MONDAY)]

    def test_names_it_once_with_the_days_it_was_seen_on(self):
        rows = [cost(TUESDAY, speed="warp"), cost(speed="warp"), cost(speed="warp", model="m")]

        assert list_news(rows) == [News("cost_report", "value", "speed", "warp", MONDAY, TUESDAY)]

    def test_names_every_value_of_rows_that_were_summed(self):
        assert [news.value for news in list_news([cost(extra={"lane": ("a", "b", None)})])] == ["a", "b"]

    @pytest.mark.parametrize("row", [cost(extra={"new": None}), used(other_counts={"thinking_tokens": 0})])
    def test_passes_over_what_says_nothing(self, row):
        assert list_news([row]) == []
