from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from costs.records import DIMENSIONS
from integrations.anthropic.wire import (
    WireError,
    decode,
    read_cost_bucket,
    read_envelope,
    read_moment,
    read_organization,
    read_workspace,
)
from integrations.errors import Fate


def bucket(**row):
    return {"starting_at": "2026-11-19T00:00:00Z", "ending_at": "2026-11-20T00:00:00Z", "results": [row]}


class TestDecode:
    def test_keeps_fractions_exact(self):
        assert decode(b'{"a":0.1,"b":12}') == {"a": Decimal("0.1"), "b": 12}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b'{"data":[',
            b'{"a":1}x',
            b'{"a":"\xff"}',
            b"\xef\xbb\xbf{}",
            '{"é":1}'.encode("latin-1"),
        ],
    )
    def test_calls_a_damaged_body_worth_another_attempt(self, body):
        with pytest.raises(WireError) as caught:
            decode(body)

        assert caught.value.fate is Fate.RETRYABLE

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b'{"a":NaN}', "holds NaN"),
            (b'{"a":Infinity}', "holds Infinity"),
            (b'{"a":[-Infinity]}', "holds -Infinity"),
            (b'{"a":1e400}', "absurd size"),
            (b'{"a":1e-400}', "absurd size"),
            (b'{"a":1e99999999999999999999}', "absurd size"),
            (b'{"a":0.' + b"1" * 200 + b"}", "absurd size"),
            (b'{"a":' + b"9" * 5000 + b"}", "absurd size"),
            (b'{"a":1,"a":1}', "twice"),
            (b'{"x":[{"a":1,"\\u0061":2}]}', "twice"),
            (b"[]", "not a JSON object"),
            (b'"text"', "not a JSON object"),
            (b"null", "not a JSON object"),
            (b'{"a":' * 100_000, "too deeply"),
            (b'{"a":["\\ud800"]}', "Unicode"),
            (b'{"a":"x\\u0000"}', "Unicode"),
            (b'{"\\uDFFF":1}', "Unicode"),
        ],
    )
    def test_calls_a_wrong_body_fatal(self, body, words):
        with pytest.raises(WireError, match=words) as caught:
            decode(body)

        assert caught.value.fate is Fate.FATAL

    @pytest.mark.parametrize("text", [r"\\u0000", r"\ud83d\ude00"])
    def test_accepts_what_only_looks_like_half_a_character(self, text):
        assert decode(b'{"a":[1,"%s"]}' % text.encode())


class TestReadEnvelope:
    def test_reads_rows_and_paging(self):
        document = {
            "data": [{}],
            "has_more": True,
            "next_page": "p",
            "data_refreshed_at": "2026-11-20T11:00:00Z",
        }

        envelope = read_envelope(document, "next_page")

        assert (envelope.rows, envelope.has_more, envelope.next_cursor) == ([{}], True, "p")
        assert envelope.data_refreshed_at == datetime(2026, 11, 20, 11, tzinfo=UTC)

    def test_takes_an_empty_token_for_none(self):
        assert (
            read_envelope({"data": [], "has_more": False, "next_page": ""}, "next_page").next_cursor is None
        )

    @pytest.mark.parametrize(
        "document",
        [
            {"has_more": False},
            {"data": {}, "has_more": False},
            {"data": [1], "has_more": False},
            {"data": []},
            {"data": [], "has_more": "false"},
            {"data": [], "has_more": None},
            {"data": [], "has_more": True, "next_page": 7},
            {"data": [], "has_more": False, "data_refreshed_at": "yesterday"},
        ],
    )
    def test_refuses_another_shape(self, document):
        with pytest.raises(WireError):
            read_envelope(document, "next_page")


class TestReadCostBucket:
    def test_reads_dimensions_amounts_and_unknown_fields(self):
        row = {
            "amount": "1.5",
            "list_amount": "2",
            "currency": "USD",
            "model": "m",
            "new": [1, Decimal("0.5")],
        }

        result = read_cost_bucket(bucket(**row)).results[0]

        assert (result.amount, result.list_amount, result.currency) == ("1.5", "2", "USD")
        assert result.dimensions == {**dict.fromkeys(DIMENSIONS), "model": "m"}
        assert result.extra == {"new": '[1,"0.5"]'}

    def test_knows_every_documented_field(self):
        """A field that is missing here would silently become an extra one, and so change every row's key."""
        documented = {
            **dict.fromkeys(("amount", "currency"), "1"),
            **dict.fromkeys(
                (
                    "cost_type",
                    "description",
                    "model",
                    "token_type",
                    "service_tier",
                    "context_window",
                    "inference_geo",
                    "workspace_id",
                )
            ),
        }

        assert read_cost_bucket(bucket(**documented)).results[0].extra == {}

    @pytest.mark.parametrize(
        "row",
        [
            {"currency": "USD"},
            {"amount": None, "currency": "USD"},
            {"amount": 1, "currency": "USD"},
            {"amount": "", "currency": "USD"},
            {"amount": "1"},
            {"amount": "1", "currency": "USD", "model": 5},
            {"amount": "1", "currency": "USD", "list_amount": Decimal("1.5")},
        ],
    )
    def test_refuses_a_row_of_another_shape(self, row):
        with pytest.raises(WireError):
            read_cost_bucket(bucket(**row))

    @pytest.mark.parametrize("results", [None, {}, [None], "x"])
    def test_refuses_results_that_are_no_list_of_objects(self, results):
        with pytest.raises(WireError, match="results"):
            read_cost_bucket({**bucket(), "results": results})

    @pytest.mark.parametrize("name", ["starting_at", "ending_at"])
    def test_refuses_a_bucket_without_bounds(self, name):
        with pytest.raises(WireError, match=name):
            read_cost_bucket({**bucket(), name: None})


class TestReadWorkspace:
    def test_needs_id_and_name_only(self):
        row = read_workspace({"id": "wrkspc_1", "name": "A"})

        assert (row.created_at, row.archived_at, row.attributes) == (None, None, {})

    @pytest.mark.parametrize(
        "row", [{"name": "A"}, {"id": "wrkspc_1"}, {"id": "w", "name": "A", "archived_at": 1}]
    )
    def test_refuses_another_shape(self, row):
        with pytest.raises(WireError):
            read_workspace(row)


class TestReadOrganization:
    def test_reads_id_and_name(self):
        row = read_organization({"id": "7d0c", "name": "Example", "type": "organization"})

        assert (row.id, row.name) == ("7d0c", "Example")


class TestReadMoment:
    @pytest.mark.parametrize(
        "text",
        [
            "2026-11-20T11:00:00Z",
            "2026-11-20t11:00:00z",
            "2026-11-20T12:00:00+01:00",
            "2026-11-20T11:00:00.000000000Z",
        ],
    )
    def test_reads_rfc_3339(self, text):
        assert read_moment(text) == datetime(2026, 11, 20, 11, tzinfo=UTC)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2026-11-20",
            "2026-11-20T11:00:00",
            "20261120T110000Z",
            "2026-11-31T00:00:00Z",
            "2026-11-20T24:00:01Z",
            "2026-11-20 11:00:00Z",
        ],
    )
    def test_refuses_anything_else(self, text):
        with pytest.raises(WireError):
            read_moment(text)
