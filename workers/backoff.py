"""How long to wait after a failure: exponential, full jitter, bounded."""

import datetime as dt
import random

_BASE_SECONDS = 60.0
_CAP_SECONDS = 1800.0
# Our own servers are asked again sooner: nobody limits us, and they are mostly back within seconds.
_OWN_BASE_SECONDS = 2.0
_OWN_CAP_SECONDS = 30.0
# From a few failures on the exponent changes nothing; bounded so that no number overflows.
_LARGEST_EXPONENT = 10


def wait(failures: int, chance: random.Random | None = None) -> dt.timedelta:
    """
    Return a wait between one second and min(30 min, 60 s × 2^(failures - 1)), uniformly drawn.

    Full jitter spreads clients that failed together; the lower bound keeps a lucky draw from hammering.
    """
    return dt.timedelta(seconds=_draw(1.0, _BASE_SECONDS, _CAP_SECONDS, failures, chance))


def own_trouble(failures: int, chance: random.Random | None = None) -> float:
    """Return the seconds to wait when PostgreSQL or Redis failed: between a half and min(30, 2^failures)."""
    return _draw(0.5, _OWN_BASE_SECONDS, _OWN_CAP_SECONDS, failures, chance)


def _draw(least: float, base: float, cap: float, failures: int, chance: random.Random | None) -> float:
    ceiling = min(cap, base * 2 ** min(max(failures - 1, 0), _LARGEST_EXPONENT))
    return (chance or random.SystemRandom()).uniform(least, ceiling)
