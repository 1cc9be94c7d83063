"""Exact money for the simulator as whole numbers of 10^-14 cents; never a float, never a rounded sum."""

from __future__ import annotations

from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation

# Fourteen decimals of a cent is the longest amount seen in the wild; every simulated amount fits it exactly.
UNITS_PER_CENT = 10**14
UNITS_PER_USD = 100 * UNITS_PER_CENT

_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])


def cents_text(units: int) -> str:
    """Write units as decimal cents with at least six fractional digits, as the reports do."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    whole, rest = divmod(units, UNITS_PER_CENT)
    digits = f"{rest:014d}"
    return f"{sign}{whole}.{digits[:6]}{digits[6:].rstrip('0')}"


def usd_text(units: int) -> str:
    """Write units as plain decimal USD without trailing zeros."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    whole, rest = divmod(units, UNITS_PER_USD)
    fraction = f"{rest:016d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def cents_units(text: str) -> int:
    """Read decimal cents exactly.

    Raises: ValueError when it is no finite decimal or has more than fourteen fractional digits.
    """
    return _units(text, UNITS_PER_CENT)


def usd_units(text: str) -> int:
    """Read decimal USD exactly; raises ValueError as `cents_units` does."""
    return _units(text, UNITS_PER_USD)


def scale(units: int, factor: str) -> int:
    """Multiply by a decimal factor, rounding down to whole units, which is where the new truth is defined."""
    numerator, denominator = Decimal(factor).as_integer_ratio()
    return units * numerator // denominator


def _units(text: str, per_whole: int) -> int:
    try:
        product = _EXACT.multiply(Decimal(text), Decimal(per_whole))
        whole = product.to_integral_exact(context=_EXACT)
    except DecimalException as error:
        raise ValueError(f"not an exact amount: {text!r}") from error
    return int(whole)
