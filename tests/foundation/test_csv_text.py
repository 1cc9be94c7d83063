"""The one writer of CSV: what a spreadsheet would run is shown, what is a number stays one, nothing else changes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import time
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foundation import csv_text
from foundation.csv_text import Number

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
# Read by eye from OWASP's page, not from the module: a reader that drops these would see what stands behind them.
DROPPED = ' \t\r\n"\x0b\x0c\x1f\xa0\u3000\u200b\u200e\u2060\ufeff'
texts = st.text(
    st.one_of(st.sampled_from(SIGNS + DROPPED + ";|,'ab1"), st.characters(exclude_categories=["Cs"]))
)


def cells_of(text: str) -> list[str]:
    """What programs make cells of, whatever they separate by and whether or not they know quotes."""
    parsed = [
        value
        for delimiter in ",;|\t"
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        for value in row
    ]
    return [*parsed, *re.split("[;|\t\r\n]", text)]


def runs(text: str) -> bool:
    return text.lstrip(DROPPED).startswith(tuple(SIGNS))


def only(text: str) -> str:
    """The text as the one cell of a file."""
    return next(csv.reader(io.StringIO(csv_text.cell(text), newline=""), strict=True), [""])[0]


class TestText:
    @pytest.mark.parametrize(
        "text",
        [
            "=1",
            "+1",
            "-1",
            "@a",
            "\tb",
            "\rc",
            "\nd",
            "\uff1d1",
            "\uff0b",
            "\uff0d",
            "\uff20",
            "=cmd|'/C calc'!A0",
        ],
    )
    def test_that_begins_a_formula_has_an_apostrophe_in_front(self, text):
        assert only(text) == f"'{text}"

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            (" =1", " '=1"),
            ("\u3000\uff1d1", "\u3000'\uff1d1"),
            ("\ufeff=1", "\ufeff'=1"),
            ("\xa0+1", "\xa0'+1"),
            ('"=1', "\"'=1"),
            ("\t=1", "'\t'=1"),
        ],
    )
    def test_that_hides_a_formula_behind_what_is_dropped_has_it_before_the_sign(self, text, written):
        assert only(text) == written

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("R&D;=1+1", "R&D;'=1+1"),
            ('R&D; "=1', "R&D; \"'=1"),
            ("a|@SUM(A1)", "a|'@SUM(A1)"),
            ("a\n-2", "a\n'-2"),
            ("a;b\t\uff0b1;=2", "a;b\t'\uff0b1;'=2"),
        ],
    )
    def test_that_begins_a_formula_where_others_separate_cells_has_it_there(self, text, written):
        assert only(text) == written

    @pytest.mark.parametrize(
        "text",
        [
            "plain", "claude-opus-4", "a=b", "1-2", "model: opus; tier: batch", 'two "quoted"\nlines', " blank ", "'=1",
            "Zo\xeb, Inc.", "a|b", "",
        ],
    )  # fmt: skip
    def test_that_begins_none_is_left_alone(self, text):
        assert only(text) == text

    @given(texts)
    @example('a,"x;=1"\n\t;"\r\n =1')
    def test_is_run_by_no_reader(self, text):
        file = csv_text.joined([csv_text.line(["first", text, "last"]), csv_text.line([text, text])])

        assert [value for value in cells_of(file) if runs(value)] == []
        assert not only(text).startswith(("\t", "\r", "\n"))

    @given(texts)
    def test_gains_apostrophes_and_loses_nothing(self, text):
        """Exactly one before each sign, or before a line break at the beginning; whoever takes them away has the text."""
        written = only(text)

        unmarked = re.sub(f"'([{re.escape(SIGNS)}])", r"\1", written)
        bare = re.sub(f"'([{re.escape(SIGNS)}])", r"\1", text)
        assert unmarked in (bare, f"'{bare}")
        assert written == text or runs_somewhere(text)

    def test_is_read_once_however_it_is_made(self):
        began = time.process_time()

        csv_text.safe("\n" * 1_000_000)

        assert time.process_time() - began < 5


def runs_somewhere(text: str) -> bool:
    return text.startswith(("\t", "\r", "\n")) or any(runs(part) for part in re.split("[;|\t\r\n]", text))


class TestNumber:
    @given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
    def test_amounts_stay_numbers_to_the_last_digit(self, amount):
        assert Decimal(csv_text.cell(amount)) == amount

    @given(st.integers())
    def test_counts_stay_numbers(self, count):
        assert int(csv_text.cell(count)) == count

    def test_rounded_ones_stay_numbers(self):
        assert csv_text.line([Number("-12.5"), Decimal("-0.3"), -7]) == "-12.5,-0.30,-7"

    @pytest.mark.parametrize("text", ["=1", "-1+1", "1e5", "", "-", "\uff11", "-1\n"])
    def test_takes_no_text_for_one(self, text):
        with pytest.raises(ValueError, match="digits"):
            Number(text)


class TestLines:
    def test_tell_null_from_an_empty_text(self):
        assert csv_text.line([None, "", "x"]) == ',"",x'

    def test_write_moments_in_utc(self):
        berlin = dt.timezone(dt.timedelta(hours=1))

        assert csv_text.cell(dt.datetime(2026, 11, 5, 7, tzinfo=berlin)) == "2026-11-05T06:00:00.000000Z"

    def test_come_in_chunks_that_make_one_file(self, monkeypatch):
        monkeypatch.setattr(csv_text, "_CHARACTERS_A_CHUNK", 1)

        chunks = list(csv_text.lines([{"a": 1}, {"a": "\xe9"}], ["a"]))

        assert chunks == [b"a\r\n1\r\n", "\xe9\r\n".encode()]

    def test_mark_a_head_like_any_text(self):
        assert next(csv_text.lines([], ["=1", "b"])) == b"'=1,b\r\n"
