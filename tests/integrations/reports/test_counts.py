from __future__ import annotations

from decimal import Decimal

import pytest

from integrations.anthropic.reports.counts import read_counts
from integrations.anthropic.reports.fields import ABSENT
from integrations.anthropic.wire import WireError
from tests.integrations.reports.answers import tokens

NESTED = {"cache_creation": "ephemeral_5m_input_tokens", "server_tool_use": "web_search_requests"}


class TestReadCounts:
    def test_reads_nested_counts_too(self):
        row = tokens(
            1,
            output_tokens=2,
            cache_read_input_tokens=3,
            cache_creation={"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
            server_tool_use={"web_search_requests": 6},
            requests=7,
            total_tokens=15,
        )

        counts = read_counts(row)

        assert counts.known == {
            "uncached_input_tokens": 1,
            "output_tokens": 2,
            "cache_read_input_tokens": 3,
            "cache_write_5m_tokens": 4,
            "cache_write_1h_tokens": 5,
            "web_search_requests": 6,
            "requests": 7,
        }
        assert (counts.other, counts.extra) == ({}, {})

    @pytest.mark.parametrize("row", [tokens(), tokens(requests=None)])
    def test_leaves_unknown_requests_unknown(self, row):
        assert read_counts(row).known["requests"] is None

    def test_leaves_dimensions_to_the_caller(self):
        assert read_counts(tokens(model=None, lane=5), frozenset({"model", "lane"})).other == {}

    def test_tells_new_counts_from_other_new_fields(self):
        row = tokens(
            server_tool_use={"web_search_requests": 0, "web_fetch_requests": 8, "note": "x"},
            thought_tokens=9,
            lane="express",
            is_trial=True,
            nothing=None,
        )

        counts = read_counts(row)

        assert counts.other == {"server_tool_use.web_fetch_requests": 8, "thought_tokens": 9}
        assert counts.extra == {"server_tool_use.note": "x", "lane": "express", "is_trial": True}

    @pytest.mark.parametrize("name", ["uncached_input_tokens", "output_tokens", *NESTED])
    def test_says_that_a_count_is_missing_and_keeps_the_others(self, name):
        row = tokens(7, output_tokens=7, cache_read_input_tokens=7)
        del row[name]

        counts = read_counts(row)

        assert counts.extra == {name: ABSENT}
        assert counts.known["cache_read_input_tokens"] == 7

    @pytest.mark.parametrize(("outer", "inner"), NESTED.items())
    def test_says_which_nested_count_is_missing(self, outer, inner):
        counts = read_counts(tokens(**{outer: {"ephemeral_1h_input_tokens": 1}}))

        assert counts.extra[f"{outer}.{inner}"] == ABSENT

    @pytest.mark.parametrize(("value", "count"), [(12, 12), (Decimal("12.0"), 12), ("12", 12)])
    def test_knows_a_whole_number_however_it_is_written(self, value, count):
        counts = read_counts(tokens(value))

        assert (counts.known["uncached_input_tokens"], counts.extra) == (count, {})

    @pytest.mark.parametrize(
        ("value", "kept"), [(-1, -1), (Decimal("1.5"), "1.5"), ("1e3", "1e3"), (True, True), ([], "[]")]
    )
    def test_keeps_what_is_no_count_as_it_came(self, value, kept):
        counts = read_counts(tokens(value, output_tokens=7))

        assert counts.extra == {"uncached_input_tokens": kept}
        assert (counts.known["uncached_input_tokens"], counts.known["output_tokens"]) == (0, 7)

    @pytest.mark.parametrize(("value", "kept"), [(-1, -1), (Decimal("1.5"), "1.5")])
    def test_keeps_a_new_number_that_is_no_count(self, value, kept):
        counts = read_counts(tokens(thought_tokens=value))

        assert (counts.other, counts.extra) == ({}, {"thought_tokens": kept})

    def test_finds_new_counts_in_a_new_object(self):
        counts = read_counts(tokens(reasoning={"visible": {"tokens": 3}, "level": "high"}))

        assert counts.other == {"reasoning.visible.tokens": 3}
        assert counts.extra == {"reasoning.level": "high"}

    def test_refuses_a_row_without_any_count_of_tokens(self):
        """Zeros would look like a day on which nobody did anything."""
        with pytest.raises(WireError, match="can be read"):
            read_counts({"prompt_tokens": 5})
