from __future__ import annotations

from decimal import Decimal

import pytest

from integrations.anthropic.reports.counts import read_counts
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

    @pytest.mark.parametrize(
        "name", ["uncached_input_tokens", "output_tokens", "cache_read_input_tokens", *NESTED]
    )
    def test_refuses_a_row_that_lacks_a_count(self, name):
        row = tokens()
        del row[name]

        with pytest.raises(WireError, match=name):
            read_counts(row)

    @pytest.mark.parametrize(("outer", "inner"), NESTED.items())
    def test_refuses_a_nested_object_that_lacks_a_count(self, outer, inner):
        with pytest.raises(WireError, match=inner):
            read_counts(tokens(**{outer: {"ephemeral_1h_input_tokens": 1}}))

    @pytest.mark.parametrize("value", [-1, Decimal("1.5"), "1", True, None])
    def test_refuses_what_is_no_count(self, value):
        with pytest.raises(WireError, match="uncached_input_tokens"):
            read_counts(tokens(value))

    @pytest.mark.parametrize("value", [-1, Decimal("1.5")])
    def test_refuses_a_new_number_that_is_no_count(self, value):
        with pytest.raises(WireError, match="thought_tokens"):
            read_counts(tokens(thought_tokens=value))
