"""Owns reading the money of a row: cents as text become US dollars, and nothing else is taken for money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.money import AmountError, cents_to_usd
from integrations.anthropic import wire

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

AMOUNT_FIELDS = frozenset({"amount", "list_amount", "currency"})
_CURRENCY = "USD"


def read_amounts(row: wire.Row, day: date) -> tuple[Decimal, Decimal | None]:
    """
    Return what is charged and what the list price would have been.

    Units:   US cents as text -> US dollars; the list amount is None where the report has none
    Raises:  WireError: other money than US dollars, an amount that is missing or no decimal
    """
    require_dollars(row, day)
    amount, list_amount = wire.get_text(row, "amount"), wire.find_text(row, "list_amount")
    return in_usd(amount, day), None if list_amount is None else in_usd(list_amount, day)


def require_dollars(row: wire.Row, day: date) -> None:
    """Refuse an amount in another currency."""
    currency = wire.get_text(row, "currency")
    if currency != _CURRENCY:
        raise wire.WireError(f"an amount of {day} is in {currency[:12]!r}, not in {_CURRENCY}")


def in_usd(cents: str, day: date) -> Decimal:
    """Return cents in dollars; WireError when they are no decimal."""
    try:
        return cents_to_usd(cents)
    except AmountError as error:
        raise wire.WireError(f"an amount of {day} cannot be read: {error}") from error
