"""Tokens of rate limits for the requests of a probe: also for a key of which nobody knows yet whose it is."""

import datetime as dt
import hashlib
import hmac

from django.conf import settings

from integrations.anthropic.probe import ProbeResult
from integrations.anthropic.stream import Family
from integrations.errors import Advice, Fate, Reason, UpstreamError, advice
from workers import bucket, lanes
from workers.bucket import Bucket, BucketUnavailableError, Seed, rate_of
from workers.clock import database_now

_CLASSIC: Family = "classic"
# After a 429 that does not say how long to wait.
UNSAID_WAIT_SECONDS = 60.0


def limiter_down() -> Advice:
    """Return what a person is told while nobody counts requests."""
    return advice(Reason.UPSTREAM_UNAVAILABLE, cause="our own rate limiter (Redis) does not answer")


def fingerprint(api_key: str) -> str:
    """Name a key without holding it, for remembering which organisation it belonged to when last tested."""
    digest = hmac.new(settings.SECRET_KEY.encode(), api_key.encode(), hashlib.sha256).hexdigest()
    return digest[:32]


class ProbeTokens:
    """Takes a token of the right bucket before each request of a probe.

    A key that was never seen tells its organisation only by asking. Those first requests run on the key's own
    small bucket, so that hammering one key stays bounded, and are charged to the organisation afterwards.
    """

    def __init__(self, owner: str | None, api_key: str = "") -> None:
        self._owner, self._api_key = owner, api_key
        self._unpaid: list[Family] = []

    def take(self, organization_id: str | None, family: Family) -> None:
        """Take one token or raise UpstreamError(rate_limited); called before each request."""
        owner = organization_id or self._owner
        if owner is None:
            self._acquire(f"unknown:{fingerprint(self._api_key)}", None, _CLASSIC)
            self._unpaid.append(family)
            return
        try:
            self._pay(owner)
        except BucketUnavailableError as error:
            raise UpstreamError.told(limiter_down(), Fate.RETRYABLE) from error
        self._acquire(lanes.owner_key(owner, family), owner, family)

    def settle(self, result: ProbeResult) -> None:
        """
        Charge the first requests that found their organisation, obey each 429, remember whose key it is.

        Raises:  BucketUnavailableError
        """
        owner = result.organization.id if result.organization else self._owner
        if owner is None:
            return
        self._pay(owner)
        for family, wait_seconds in result.rate_limited.items():
            answer = self._bucket(owner, family).penalise(
                lanes.seed_of(owner, family), wait_seconds or UNSAID_WAIT_SECONDS
            )
            lanes.note_level(owner, family, answer)
        if self._api_key and result.organization:
            bucket.remember_owner(fingerprint(self._api_key), owner)

    def _bucket(self, owner: str, family: Family) -> Bucket:
        return Bucket(lanes.owner_key(owner, family), rate_of(family))

    def _pay(self, owner: str) -> None:
        while self._unpaid:
            family = self._unpaid.pop()
            answer = self._bucket(owner, family).debit(lanes.seed_of(owner, family))
            lanes.note_level(owner, family, answer)

    def _acquire(self, key: str, owner: str | None, family: Family) -> None:
        rate = rate_of(family)
        seed = lanes.seed_of(owner, family) if owner else Seed(rate.full_us)
        try:
            answer = Bucket(key, rate).acquire(seed)
        except BucketUnavailableError as error:
            raise UpstreamError.told(limiter_down(), Fate.RETRYABLE) from error
        if not answer.granted:
            when = database_now() + dt.timedelta(seconds=answer.wait_seconds)
            told = advice(Reason.RATE_LIMITED, next_attempt=f"possible at {when:%H:%M:%S} UTC")
            raise UpstreamError.told(told, Fate.RETRYABLE, retry_after_seconds=answer.wait_seconds)
        if owner:
            # Before the request: should Redis lose the bucket now, it is seeded without this token.
            lanes.note_level(owner, family, answer)
