"""A fixed number of requests a minute per token, so that one runaway program does not starve the others."""

import time
from typing import Any

import redis
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiToken

# Generous: ten pages a second for a minute. It guards the service, it is not a plan's allowance.
REQUESTS_PER_MINUTE = 600
_MINUTE_SECONDS = 60


class TokenThrottle(BaseThrottle):
    """Counts whole minutes in the cache; open when Redis does not answer, because reading needs no Redis."""

    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - DRF's signature
        if not isinstance(request.auth, ApiToken):
            return True
        key = f"api-requests:{request.auth.pk}:{int(time.time() // _MINUTE_SECONDS)}"
        try:
            cache.add(key, 0, 2 * _MINUTE_SECONDS)
            return bool(cache.incr(key) <= REQUESTS_PER_MINUTE)
        except (redis.RedisError, ValueError):
            # ValueError: the counter was evicted between the two calls.
            return True

    def wait(self) -> float:
        return _MINUTE_SECONDS - time.time() % _MINUTE_SECONDS + 1
