"""Owns exact money: cents become US dollars here and nowhere else; no float and no rounding ever happens in this module."""

from __future__ import annotations

import re
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, Underflow
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Wider than anything real (the provider sends 5 to 14 decimals), so that one amount of unusual length withholds no
# window; narrow enough that a hostile "1e999999" cannot make us build a number with a million digits.
MAX_INTEGER_DIGITS = 20
MAX_FRACTION_DIGITS = 100
_MAX_TEXT_CHARACTERS = 400

# Our own context: the process-wide one rounds silently at 28 digits, and any library may change it.
# 200 digits leave room to add 10^100 of the widest amounts; anything that would still round raises.
_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, Overflow, Underflow, DivisionByZero])

_DECIMAL_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)


class AmountError(ValueError):
    """An amount that is not a finite decimal of a believable size."""


def cents_to_usd(text: str) -> Decimal:
    """
    Turn one upstream amount into US dollars without losing a digit.

    Units:   US cents as decimal text ("123.45") -> US dollars (1.2345)
    Raises:  AmountError: not text, not a decimal, not finite, or more than 20 integer or 100 fraction digits, zeros
             at the end apart
    Source:  platform.claude.com cost report reference, field `amount`, read 2026-11
    """
    # Not an annotation's business: this is where a wrong JSON type would turn into wrong money.
    if not isinstance(text, str):
        raise AmountError(f"an amount must be decimal text, not {type(text).__name__}")
    if len(text) > _MAX_TEXT_CHARACTERS or not _DECIMAL_TEXT.fullmatch(text):
        raise AmountError("an amount must be a plain decimal number")
    cents = _EXACT.create_decimal(_without_needless_zeros(text))
    if not cents:
        return Decimal(0)
    exponent = cents.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > MAX_FRACTION_DIGITS:
        raise AmountError(f"an amount may have at most {MAX_FRACTION_DIGITS} fraction digits")
    if cents.adjusted() + 1 > MAX_INTEGER_DIGITS:
        raise AmountError(f"an amount may have at most {MAX_INTEGER_DIGITS} integer digits")
    usd = _EXACT.scaleb(cents, Decimal(-2))
    # A positive exponent ("1E+1") is the same number, but prints and stores differently: write it out.
    return usd if exponent <= 2 else _EXACT.quantize(usd, Decimal(1))  # noqa: PLR2004


def _without_needless_zeros(text: str) -> str:
    """Drop zeros at the end of a fraction that would be too long with them."""
    fraction = text.partition(".")[2]
    is_long = len(fraction) > MAX_FRACTION_DIGITS and fraction.isdigit()
    return text.rstrip("0").removesuffix(".") if is_long else text


def usd_text(amount: Decimal) -> str:
    """
    Write an amount exactly, in plain notation: no exponent, no needless zeros, at least two decimals.

    Shape:   Decimal("0.5") -> "0.50"; equal amounts always give equal text (1.0 and 1.00; 0 and -0)
    Raises:  AmountError: NaN or infinite
    """
    if not amount.is_finite():
        raise AmountError("an amount must be finite")
    sign = "-" if amount < 0 else ""
    # copy_abs, not abs(): the latter rounds to the ambient precision.
    whole, _, fraction = f"{amount.copy_abs():f}".partition(".")
    return f"{sign}{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def sum_usd(amounts: Iterable[Decimal]) -> Decimal:
    """Add amounts exactly; no amounts give zero. Raises `decimal.Inexact` rather than ever rounding."""
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total
