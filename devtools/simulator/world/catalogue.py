"""The models on offer, their prices and what the provider calls things; prices are plausible, not a price list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from .money import UNITS_PER_CENT

TOKEN_TYPES = (
    "uncached_input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
)
_TOKEN_WORDS = (
    "Input Tokens",
    "Output Tokens",
    "Input Tokens, Cache Hit",
    "Input Tokens, Cache Write",
    "Input Tokens, Cache Write",
)

WEB_SEARCH_UNITS = UNITS_PER_CENT  # ten dollars per thousand searches
# Both are billed by the second here, which is what gives amounts with fourteen decimals.
CODE_EXECUTION_UNITS_PER_HOUR = 5 * UNITS_PER_CENT
SESSION_UNITS_PER_HOUR = 8 * UNITS_PER_CENT


@dataclass(frozen=True, slots=True)
class Model:
    """One model: prices in cents per million tokens, cache reads in permille of the input price."""

    id: str
    name: str
    input_cents: int
    output_cents: int
    cache_read_permille: int = 100
    has_long_context: bool = False
    reports_geo: bool = True
    launched_on: date = date(2024, 1, 1)

    def unit_price(self, token_type_index: int, *, is_batch: bool, is_us: bool, is_long: bool) -> int:
        """Return the price of one token in money units; exact, because every multiplier divides evenly."""
        per_token_input = self.input_cents * (UNITS_PER_CENT // 10**6)
        per_token_output = self.output_cents * (UNITS_PER_CENT // 10**6)
        price = (
            per_token_input,
            per_token_output,
            per_token_input * self.cache_read_permille // 1000,
            per_token_input * 125 // 100,
            per_token_input * 2,
        )[token_type_index]
        price = price // 2 if is_batch else price
        price = price * 11 // 10 if is_us else price
        return price * 2 if is_long else price

    def description(self, token_type_index: int) -> str:
        """Return the text the cost report shows for such tokens."""
        return f"{self.name} Usage - {_TOKEN_WORDS[token_type_index]}"


# Models from before February 2026 do not report where they ran.
MODELS = (
    Model("claude-sonnet-5", "Claude Sonnet 5", 300, 1500, has_long_context=True),
    Model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", 100, 500, reports_geo=False),
    Model("claude-opus-5", "Claude Opus 5", 500, 2500, has_long_context=True),
    Model(
        "claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", 300, 1500, has_long_context=True, reports_geo=False
    ),
    Model("claude-opus-4-8", "Claude Opus 4.8", 500, 2500),
    Model(
        "claude-sonnet-5-5",
        "Claude Sonnet 5.5",
        300,
        1500,
        50,
        has_long_context=True,
        launched_on=date(2026, 10, 7),
    ),
    Model("claude-fable-5-1", "Claude Fable 5.1", 1000, 5000, 25),
    Model(
        "claude-opus-5-5", "Claude Opus 5.5", 500, 2500, has_long_context=True, launched_on=date(2026, 9, 15)
    ),
)
