"""How long to wait after a failure: exponential, full jitter, bounded."""

import datetime as dt
import random

_BASE_SECONDS = 60.0
_CAP_SECONDS = 1800.0
# From a few failures on the exponent changes nothing; bounded so that no number overflows.
_LARGEST_EXPONENT = 10


def wait(failures: int, chance: random.Random | None = None) -> dt.timedelta:
    """
    Return a wait between one second and min(30 min, 60 s × 2^(failures - 1)), uniformly drawn.

    Full jitter spreads clients that failed together; the lower bound keeps a lucky draw from hammering.
    """
    ceiling = min(_CAP_SECONDS, _BASE_SECONDS * 2 ** min(max(failures - 1, 0), _LARGEST_EXPONENT))
    drawn = (chance or random.SystemRandom()).uniform(1.0, ceiling)
    return dt.timedelta(seconds=drawn)
