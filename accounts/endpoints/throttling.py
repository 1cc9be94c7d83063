"""A fixed number of requests a minute per token, so that one runaway program does not starve the others."""

import time
from typing import Any

import redis
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiToken
from foundation.api.allowance import MINUTE_SECONDS, REQUESTS_PER_MINUTE, Allowance


class TokenThrottle(BaseThrottle):
    """
    Counts whole minutes in the cache; open when Redis does not answer, because reading needs no Redis.

    Shape:   `allowance` is what is left after the request, None where nobody counts
    """

    allowance: Allowance | None = None

    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - DRF's signature
        if not isinstance(request.auth, ApiToken):
            return True
        minute, elapsed = divmod(time.time(), MINUTE_SECONDS)
        key = f"api-requests:{request.auth.pk}:{int(minute)}"
        try:
            cache.add(key, 0, 2 * MINUTE_SECONDS)
            used = cache.incr(key)
        except (redis.RedisError, ValueError):
            # ValueError: the counter was evicted between the two calls.
            return True
        # Rounded up: who comes back after so many seconds is in the next minute.
        self.allowance = Allowance(max(REQUESTS_PER_MINUTE - used, 0), MINUTE_SECONDS - int(elapsed))
        return bool(used <= REQUESTS_PER_MINUTE)

    def wait(self) -> float | None:
        return self.allowance.seconds if self.allowance else None
