"""The token bucket: at most capacity + rate × time requests for one owner, across all processes.

Redis decides atomically on its own clock (`bucket.lua`); no caller's clock matters. A caller that gets no
token is told how long to wait and goes away. A person who is told so has a place: the tokens of the moment named
are given to nobody else (docs/adr/0007-tests-of-a-key-and-the-bucket.md). Redis out of reach means no token: it fails
closed.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import redis
from django.conf import settings

_SCRIPT = Path(__file__).with_name("bucket.lua").read_text(encoding="utf-8")
_SECOND = 1_000_000
# Requests are counted where they arrive, and the network shifts them by milliseconds: refill a little slower
# than allowed, so that jitter never makes two requests look too close.
_SLACK = 1.01
_OWNER_SECONDS = 86_400
# What a connection test cannot do without from one bucket: who it is and the bill, or the bill in its newer and its
# older form. Less would be spent for nothing when the rest is refused.
PROBE_TOKENS = 2
# Long enough to read a message and press a button, short enough that who never comes back holds up little.
KEPT_SECONDS = 120.0

Operation = Literal["acquire", "debit", "restore", "penalise", "peek"]


class BucketUnavailableError(Exception):
    """Redis cannot be asked; no request may be made until it can."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One token every `interval_us` microseconds, at most `capacity` of them saved up."""

    interval_us: int
    capacity: int

    @property
    def full_us(self) -> int:
        """Credit of a full bucket."""
        return self.interval_us * self.capacity

    @property
    def spared(self) -> int:
        """Tokens that who can wait leaves to people: a connection test's; one of a bucket that has few."""
        return PROBE_TOKENS if self.capacity >= 4 * PROBE_TOKENS else 1


@dataclass(frozen=True, slots=True)
class Seed:
    """What the database knows of a bucket that Redis may have lost: its level and block by now."""

    level_us: int
    blocked_us: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Who waits for tokens, under a name without spaces, and for how many at once."""

    name: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The bucket's decision and its state right after it; `reserved_us` of the credit is for people who wait."""

    granted: bool
    wait_seconds: float
    level_us: int
    blocked_seconds: float
    reserved_us: int = 0


def rate_of(family: str) -> Rate:
    """Return the configured rate of an API family: classic reports and names, or analytics."""
    if family == "classic":
        return _rate(settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST)
    if family == "analytics":
        return _rate(settings.ANTHROPIC_ANALYTICS_REQUESTS_PER_MINUTE, settings.ANTHROPIC_ANALYTICS_BURST)
    raise ValueError(f"no rate is configured for API family {family!r}")


def _rate(per_minute: float, burst: int) -> Rate:
    return Rate(round(60 * _SECOND / per_minute * _SLACK), burst)


@cache
def redis_client() -> redis.Redis:
    """Return the process-wide client; thread-safe."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5)


def known_owner(fingerprint: str) -> str | None:
    """Return the organisation that a key with this fingerprint was last found to belong to; None if unknown."""
    try:
        found: Any = redis_client().get(_owner_key(fingerprint))
    except redis.RedisError as error:
        raise BucketUnavailableError(f"Redis does not answer: {type(error).__name__}") from error
    return found.decode() if found else None


def remember_owner(fingerprint: str, organization_id: str) -> None:
    """Remember whose key it is for a day; forgetting costs one request charged afterwards."""
    with suppress(redis.RedisError):
        redis_client().set(_owner_key(fingerprint), organization_id, ex=_OWNER_SECONDS)


def _owner_key(fingerprint: str) -> str:
    return f"tallystick:key-owner:{fingerprint}"


class Bucket:
    """The bucket of one owner (organisation × API family, or a key whose organisation is not known yet)."""

    def __init__(self, owner: str, rate: Rate, client: redis.Redis | None = None) -> None:
        self.key = f"tallystick:bucket:{{{owner}}}"
        self.rate = rate
        self._client = client or redis_client()
        self._script = self._client.register_script(_SCRIPT)

    def acquire(self, seed: Seed, *, reserve: int = 0) -> Answer:
        """Take one token if at least `reserve` would be left; else say how long until one can be had.

        `reserve` leaves the last tokens to more urgent callers; it never asks for more than a full bucket. A negative
        one lets the level fall below zero by so much. What is reserved for people who wait is left in any case.
        """
        return self._call("acquire", seed, reserve=reserve)

    def take(self, seed: Seed, place: Place) -> Answer:
        """Take all tokens of a place, or none; then they are kept for it, from the moment named on for KEPT_SECONDS.

        More than a full bucket is taken from a full one, and paid by waiting.
        """
        return self._call("acquire", seed, place=place)

    def give_back(self, seed: Seed, place: Place) -> Answer:
        """Return the tokens that were not needed, and give up the place if there still is one."""
        return self._call("restore", seed, place=place)

    def debit(self, seed: Seed) -> Answer:
        """Charge one token for a request already made; the level may become negative."""
        return self._call("debit", seed)

    def penalise(self, seed: Seed, seconds: float) -> Answer:
        """Empty the bucket and block it for all who share it, after upstream answered 429."""
        return self._call("penalise", seed, block_us=round(seconds * _SECOND))

    def peek(self, seed: Seed) -> Answer:
        """Return the state without changing it."""
        return self._call("peek", seed)

    def _call(
        self,
        operation: Operation,
        seed: Seed,
        *,
        reserve: int = 0,
        block_us: int = 0,
        place: Place | None = None,
    ) -> Answer:
        arguments: list[Any] = [
            operation, self.rate.interval_us, self.rate.capacity, place.tokens if place else 1, reserve,
            min(seed.level_us, self.rate.full_us), max(seed.blocked_us, 0), block_us,
        ]  # fmt: skip
        if place:
            arguments += [place.name, round(KEPT_SECONDS * _SECOND)]
        try:
            answer: Any = self._script(keys=[self.key], args=arguments)
        except redis.RedisError as error:
            raise BucketUnavailableError(f"Redis does not answer: {type(error).__name__}") from error
        granted, wait_us, level_us, blocked_us, reserved_us = (int(part) for part in answer)
        return Answer(bool(granted), wait_us / _SECOND, level_us, blocked_us / _SECOND, reserved_us)
