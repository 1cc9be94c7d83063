from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from integrations.anthropic.wire import (
    WireError,
    decode,
    find_count,
    find_moment,
    find_text,
    get_count,
    get_moment,
    get_object,
    get_objects,
    get_text,
    read_envelope,
    read_moment,
    read_organization,
    scalar,
)
from integrations.errors import Fate


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

    @pytest.mark.parametrize(
        "number", ["1e400", "1e-400", "1e99999999999999999999", "0." + "1" * 400, "9" * 5000]
    )
    def test_leaves_a_number_of_absurd_size_the_text_it_came_as(self, number):
        """It spoils its own field, not the page, and nobody does sums with it."""
        assert decode(b'{"a":%s,"b":1}' % number.encode()) == {"a": number, "b": 1}

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


class TestFields:
    def test_return_what_is_there(self):
        row = {"a": "x", "n": 0, "o": {}, "l": [{}], "m": "2026-11-20T11:00:00Z"}

        assert (get_text(row, "a"), get_count(row, "n")) == ("x", 0)
        assert (get_object(row, "o"), get_objects(row, "l")) == ({}, [{}])
        assert get_moment(row, "m") == datetime(2026, 11, 20, 11, tzinfo=UTC)

    @pytest.mark.parametrize("find", [find_text, find_count, find_moment])
    def test_take_null_and_absence_for_nothing(self, find):
        assert (find({"a": None}, "a"), find({}, "a")) == (None, None)

    @pytest.mark.parametrize(
        ("get", "value"),
        [
            (get_text, None),
            (get_text, ""),
            (get_text, 1),
            (find_text, 1),
            (find_text, Decimal("1.5")),
            (find_text, []),
            (get_moment, None),
            (get_count, None),
            (get_count, -1),
            (get_count, "1"),
            (get_count, True),
            (get_count, Decimal("1.0")),
            (find_count, -1),
            (get_object, None),
            (get_object, []),
            (get_objects, None),
            (get_objects, {}),
            (get_objects, [None]),
            (get_objects, "x"),
        ],
    )
    def test_name_the_field_that_is_of_another_shape(self, get, value):
        with pytest.raises(WireError, match="amount"):
            get({"amount": value}, "amount")


class TestScalar:
    @pytest.mark.parametrize("value", [None, "x", 3, True])
    def test_keeps_what_a_record_can_hold(self, value):
        assert scalar(value) is value

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (Decimal("1.50"), "1.50"),
            ([1, Decimal("0.5")], '[1,"0.5"]'),
            ({"b": 1, "a": "é"}, '{"a":"é","b":1}'),
        ],
    )
    def test_spells_everything_else_in_one_way(self, value, text):
        assert scalar(value) == text


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
