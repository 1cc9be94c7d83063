from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from dashboard import figures
from dashboard.figures import Change
from dashboard.templatetags.figures import usd

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)


class TestDollars:
    @pytest.mark.parametrize(
        ("amount", "text"),
        [
            ("1234.565", "$1,234.56"),
            ("1234.575", "$1,234.58"),
            ("0", "$0.00"),
            ("-0.00", "$0.00"),
            ("-3.2", "\u2212$3.20"),
            ("0.004", "<$0.01"),
            ("-0.004", ">\u2212$0.01"),
            ("123456789012345678901234567890.005", "$123,456,789,012,345,678,901,234,567,890.00"),
        ],
    )
    def test_rounds_to_cents_without_a_float(self, amount, text):
        assert figures.dollars(Decimal(amount)) == text

    def test_carries_the_exact_value_beside_the_rounded_one(self):
        assert usd(Decimal("12.345678901234567890")) == (
            '<data value="12.34567890123456789" title="12.34567890123456789 USD exactly">$12.35</data>'
        )


class TestChange:
    @pytest.mark.parametrize(
        ("now", "before", "word", "percent"),
        [
            ("110", "100", "up", "+10.0\u00a0%"),
            ("90", "100", "down", "\u221210.0\u00a0%"),
            ("0", "100", "gone", "\u2212100.0\u00a0%"),
            ("100", "0", "new", ""),
            ("100", "100", "unchanged", ""),
            ("0", "0", "unchanged", ""),
            ("5", "-5", "up", ""),
            ("100", "0.01", "up", ">+1000\u00a0%"),
            ("100.001", "100", "up", "0.0\u00a0%"),
        ],
    )
    def test_says_the_direction_in_a_word(self, now, before, word, percent):
        change = Change(Decimal(now), Decimal(before))

        assert (change.word, change.percent) == (word, percent)


class TestMoments:
    def test_today_is_a_time_and_any_other_day_is_named(self):
        assert figures.moment(dt.datetime(2026, 11, 22, 6, 4, tzinfo=dt.UTC), NOW) == "06:04\u00a0UTC"
        assert "21\u00a0Nov\u00a02026" in figures.moment(dt.datetime(2026, 11, 21, 6, 4, tzinfo=dt.UTC), NOW)

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2 h"), (200_000, "2 days")],
    )
    def test_durations_have_one_unit(self, seconds, text):
        assert figures.duration(seconds).replace("\u00a0", " ") == text

    def test_the_mean_of_nothing_is_zero(self):
        assert figures.mean(Decimal(10), 0) == 0
