from __future__ import annotations

from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.money import AmountError, cents_to_usd, sum_usd, usd_text

believable = st.decimals(
    min_value=Decimal("-1e19"), max_value=Decimal("1e19"), allow_nan=False, allow_infinity=False, places=14
)


class TestCentsToUsd:
    def test_divides_by_a_hundred_and_keeps_the_fraction(self):
        assert cents_to_usd("123.45") == Decimal("1.2345")

    def test_keeps_every_digit_upstream_sent(self):
        assert str(cents_to_usd("132.00000000000045")) == "1.3200000000000045"

    def test_keeps_fifty_digits(self):
        text = "1" * 20 + "." + "7" * 100

        assert Fraction(cents_to_usd(text)) == Fraction(text) / 100

    def test_takes_a_fraction_of_any_length_that_ends_in_zeros(self):
        assert cents_to_usd("12.5" + "0" * 300) == Decimal("0.125")

    @pytest.mark.parametrize(
        ("text", "usd"),
        [("1E+3", "10"), ("1e-7", "1E-9"), ("25e0", "0.25"), ("1E+2", "1"), ("0E+5", "0"), ("-0.00", "0")],
    )
    def test_reads_exponents_and_writes_them_out(self, text, usd):
        assert cents_to_usd(text) == Decimal(usd)
        assert "E+" not in str(cents_to_usd(text))

    def test_accepts_credits(self):
        assert cents_to_usd("-250.5") == Decimal("-2.505")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " 1",
            "1 ",
            "1\n",
            "+1",
            ".5",
            "5.",
            "1_000",
            "1,5",
            "NaN",
            "sNaN",
            "Infinity",
            "-inf",
            "0x10",
            "\u0661",  # a digit, but not one of ours
            "1e",
            "1e1000",
        ],
    )
    def test_refuses_what_is_not_a_plain_decimal(self, text):
        with pytest.raises(AmountError, match="plain decimal"):
            cents_to_usd(text)

    def test_refuses_a_text_without_end(self):
        with pytest.raises(AmountError, match="plain decimal"):
            cents_to_usd("0" * 100_000 + "1")

    @pytest.mark.parametrize("amount", [1, 1.5, None, True, Decimal(1), b"1"])
    def test_refuses_anything_but_text(self, amount):
        with pytest.raises(AmountError, match="must be decimal text"):
            cents_to_usd(amount)

    @pytest.mark.parametrize("text", ["1" * 21, "1e20", "1e999"])
    def test_refuses_more_than_twenty_integer_digits(self, text):
        with pytest.raises(AmountError, match="20 integer digits"):
            cents_to_usd(text)

    @pytest.mark.parametrize("text", ["0." + "1" * 101, "1e-101"])
    def test_refuses_more_than_a_hundred_fraction_digits(self, text):
        with pytest.raises(AmountError, match="100 fraction digits"):
            cents_to_usd(text)

    @given(believable)
    def test_is_exact_for_every_believable_amount(self, cents):
        assert Fraction(cents_to_usd(str(cents))) == Fraction(cents) / 100


class TestUsdText:
    @pytest.mark.parametrize(
        ("amount", "text"),
        [
            ("0.5", "0.50"),
            ("1.2345", "1.2345"),
            ("-3", "-3.00"),
            ("1.2300000", "1.23"),
            ("0", "0.00"),
            ("-0.000", "0.00"),
            ("1E+5", "100000.00"),
            ("1E-9", "0.000000001"),
            ("-0.001", "-0.001"),
        ],
    )
    def test_writes_plain_notation_with_two_decimals_or_more(self, amount, text):
        assert usd_text(Decimal(amount)) == text

    def test_does_not_round_to_the_ambient_precision(self):
        assert (
            usd_text(Decimal("-12345678901234567890.123456789012345678901"))
            == "-12345678901234567890.123456789012345678901"
        )

    @pytest.mark.parametrize("amount", ["NaN", "Infinity"])
    def test_refuses_what_is_not_finite(self, amount):
        with pytest.raises(AmountError):
            usd_text(Decimal(amount))

    @given(believable)
    def test_reads_back_as_the_same_amount(self, amount):
        assert Decimal(usd_text(amount)) == amount


class TestSumUsd:
    def test_adds_exactly_beyond_the_ambient_precision(self):
        assert sum_usd([Decimal(10000000000000000000), Decimal("1E-30")]) == Decimal(
            "10000000000000000000.000000000000000000000000000001"
        )

    def test_gives_zero_for_nothing(self):
        assert sum_usd([]) == 0

    def test_raises_rather_than_round(self):
        with pytest.raises(Inexact):
            sum_usd([Decimal("1E+150"), Decimal("1E-150")])

    @given(st.lists(believable))
    def test_equals_the_sum_of_fractions_in_any_order(self, amounts):
        expected = sum(map(Fraction, amounts), Fraction(0))

        assert Fraction(sum_usd(amounts)) == Fraction(sum_usd(reversed(amounts))) == expected
