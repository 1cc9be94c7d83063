"""What prompt caching saved after the premium its writes cost, model by model; an estimate, named as such. Reads only."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from costs import selectors, usage
from costs.selectors import CostQuery, Key
from foundation.money import sum_usd

# An estimate, so it may be rounded; it never enters a total.
_ROUGH = Context(prec=50, rounding=ROUND_HALF_EVEN)
_CENT = Decimal("0.01")
_ZERO = Decimal(0)
# What one token costs against one of uncached input, for every model. What a read costs differs by model, so it is
# taken from the bill. Source: platform.claude.com pricing, prompt caching, read 2026-11.
_WRITE_MULTIPLIERS: Mapping[str, Decimal] = {
    "cache_write_5m_tokens": Decimal("1.25"),
    "cache_write_1h_tokens": Decimal(2),
}
_COST_TYPES: Mapping[str, str] = {
    "uncached_input_tokens": "uncached_input_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
}
# Prices differ by both, and every report of usage knows both.
_CELL = ("model", "service_tier")


@dataclass(frozen=True, slots=True)
class Caching:
    """
    Caching of one model, or of all together (`model` None and `is_total`).

    Units:   tokens, and USD to the cent; `saved_usd` is what the read tokens would have cost as uncached input
             less what they cost, `premium_usd` what the writes cost more than uncached input would have
    Shape:   `saved_usd` and `premium_usd` leave out `unpriced_tokens`, for which no input price is known
    """

    model: str | None
    input_tokens: int
    read_tokens: int
    written_tokens: int
    saved_usd: Decimal
    premium_usd: Decimal
    unpriced_tokens: int
    is_total: bool = False

    @property
    def net_usd(self) -> Decimal:
        """What caching saved after its write premium; negative where it cost more than it saved."""
        return sum_usd((self.saved_usd, self.premium_usd.copy_negate()))

    @property
    def lost_usd(self) -> Decimal:
        """What caching cost more than it saved; zero where it saved."""
        return max(_ZERO, self.net_usd.copy_negate())

    @property
    def read_share(self) -> Decimal:
        """Which percentage of all input came from the cache, with one decimal; zero without input."""
        return _percent(self.read_tokens, self.input_tokens)


@dataclass(frozen=True, slots=True)
class CacheEconomics:
    """Models with any input, by what caching saved on them, and all of them together."""

    models: tuple[Caching, ...]
    total: Caching


def read_caching(query: CostQuery) -> CacheEconomics:
    """
    Estimate what caching saved over the days and filters of a query.

    Shape:   the input price of each model and service tier is what its uncached input cost on average over the
             days; where there was none, it follows from the price of the writes. Tokens of a tier whose cost no
             report holds (Priority) have no price
    Raises:  KeyError — a filter that usage does not know
    """
    tokens = usage.summarise(query, group_by=_CELL)
    costs = selectors.summarise(query, group_by=(*_CELL, "token_type"))
    billed: defaultdict[Key, dict[str, Decimal]] = defaultdict(dict)
    for cost in costs.rows:
        name = _COST_TYPES.get(cost.group["token_type"] or "")
        if name:
            billed[cost.group["model"], cost.group["service_tier"]][name] = cost.amount_usd
    by_model: defaultdict[str | None, list[Caching]] = defaultdict(list)
    for row in tokens.rows:
        cell = (row.group["model"], row.group["service_tier"])
        counts = {name: row.counts[name] or 0 for name in _COST_TYPES.values()}
        by_model[cell[0]].append(economics_of(cell[0], counts, billed[cell]))
    models = [_added(cells, model=model) for model, cells in by_model.items()]
    shown = sorted((each for each in models if each.input_tokens), key=lambda each: -each.net_usd)
    return CacheEconomics(tuple(shown), _added(shown, model=None, is_total=True))


def economics_of(model: str | None, counts: Mapping[str, int], billed: Mapping[str, Decimal]) -> Caching:
    """Estimate one cell from its tokens and what each kind of them was billed, both by the names of usage."""
    read = counts["cache_read_input_tokens"]
    written = {name: counts[name] for name in _WRITE_MULTIPLIERS}
    price = _input_price(counts, billed)
    cached = read + sum(written.values())
    saved = premium = _ZERO
    if price is not None:
        saved = _less(_ROUGH.multiply(price, Decimal(read)), billed.get("cache_read_input_tokens", _ZERO))
        as_input = _ROUGH.multiply(price, Decimal(sum(written.values())))
        premium = _less(sum_usd(billed.get(name, _ZERO) for name in written), as_input)
    return Caching(
        model=model,
        input_tokens=counts["uncached_input_tokens"] + cached,
        read_tokens=read,
        written_tokens=sum(written.values()),
        saved_usd=saved,
        premium_usd=premium,
        unpriced_tokens=0 if price is not None else cached,
    )


def _input_price(counts: Mapping[str, int], billed: Mapping[str, Decimal]) -> Decimal | None:
    """Return what one token of uncached input cost in USD; None where nothing of the cell tells it."""
    for name, multiplier in (("uncached_input_tokens", Decimal(1)), *_WRITE_MULTIPLIERS.items()):
        if counts[name] and billed.get(name):
            each = _ROUGH.divide(billed[name], Decimal(counts[name]))
            return _ROUGH.divide(each, multiplier)
    return None


def _added(cells: Sequence[Caching], *, model: str | None, is_total: bool = False) -> Caching:
    return Caching(
        model=model,
        input_tokens=sum(each.input_tokens for each in cells),
        read_tokens=sum(each.read_tokens for each in cells),
        written_tokens=sum(each.written_tokens for each in cells),
        saved_usd=_sum(each.saved_usd for each in cells),
        premium_usd=_sum(each.premium_usd for each in cells),
        unpriced_tokens=sum(each.unpriced_tokens for each in cells),
        is_total=is_total,
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum_usd(amounts).quantize(_CENT, context=_ROUGH)


def _less(amount: Decimal, part: Decimal) -> Decimal:
    return _ROUGH.subtract(amount, part).quantize(_CENT, context=_ROUGH)


def _percent(part: int, whole: int) -> Decimal:
    if not whole:
        return Decimal("0.0")
    return _ROUGH.divide(Decimal(part * 100), Decimal(whole)).quantize(Decimal("0.1"), context=_ROUGH)
