from __future__ import annotations

from decimal import Decimal

import pytest

from costs.caching import Caching, economics_of

COUNTS = {
    "uncached_input_tokens": 1_000_000,
    "cache_read_input_tokens": 10_000_000,
    "cache_write_5m_tokens": 2_000_000,
    "cache_write_1h_tokens": 0,
}
# At 3 USD a million: reads at a tenth, writes at 1.25 times.
BILLED = {
    "uncached_input_tokens": Decimal(3),
    "cache_read_input_tokens": Decimal(3),
    "cache_write_5m_tokens": Decimal("7.5"),
}


class TestEconomicsOf:
    def test_is_what_reads_saved_less_what_writes_cost_more(self):
        """10 M read as input: 30 USD, paid 3. 2 M written as input: 6 USD, paid 7.50."""
        found = economics_of("m", COUNTS, BILLED)

        assert (found.saved_usd, found.premium_usd, found.net_usd) == (27, Decimal("1.5"), Decimal("25.5"))
        assert found.input_tokens == 13_000_000
        assert found.read_share == Decimal("76.9")

    def test_takes_what_a_read_costs_from_the_bill(self):
        """A model whose reads cost a fortieth: 10 M for 0.75 USD."""
        found = economics_of("m", COUNTS, {**BILLED, "cache_read_input_tokens": Decimal("0.75")})

        assert found.saved_usd == Decimal("29.25")

    @pytest.mark.parametrize(
        ("name", "amount"), [("cache_write_5m_tokens", "7.5"), ("cache_write_1h_tokens", "12")]
    )
    def test_derives_the_price_from_writes_where_all_input_was_cached(self, name, amount):
        counts = {**COUNTS, "uncached_input_tokens": 0, "cache_write_5m_tokens": 0, name: 2_000_000}
        billed = {"cache_read_input_tokens": Decimal(3), name: Decimal(amount)}

        assert economics_of("m", counts, billed).saved_usd == 27

    def test_can_be_a_loss(self):
        """Written and hardly read."""
        billed = {**BILLED, "cache_read_input_tokens": Decimal(0)}
        found = economics_of("m", {**COUNTS, "cache_read_input_tokens": 0}, billed)

        assert found.net_usd == Decimal("-1.5")
        assert found.lost_usd == Decimal("1.5")

    def test_counts_tokens_without_a_price_for_nothing_and_names_them(self):
        found = economics_of("m", COUNTS, {})

        assert (found.net_usd, found.unpriced_tokens) == (0, 12_000_000)

    def test_of_nothing_is_nothing(self):
        found = economics_of("m", dict.fromkeys(COUNTS, 0), {})

        assert (found.net_usd, found.read_share) == (0, 0)
        assert isinstance(found, Caching)
