"""Tokens of rate limits for the requests of a probe: also for a key of which nobody knows yet whose it is."""

import datetime as dt
import hashlib
import hmac
from collections import Counter
from dataclasses import replace

from django.conf import settings

from integrations.anthropic.probe import ProbeResult
from integrations.anthropic.report_spec import Family
from integrations.errors import PASSING, Advice, Fate, Reason, UpstreamError, advice
from workers import bucket, lanes
from workers.bucket import KEPT_SECONDS, PROBE_TOKENS, Bucket, BucketUnavailableError, Place, Seed, rate_of
from workers.clock import database_now

_CLASSIC: Family = "classic"
# After a 429 that does not say how long to wait.
UNSAID_WAIT_SECONDS = 60.0
# Which buckets a probe that begins with a family cannot do without: a key that reads the bill of Claude Enterprise is
# asked whether it is one of a Console.
_NEEDED: dict[Family, tuple[Family, ...]] = {"classic": ("classic",), "analytics": ("analytics", "classic")}


def limiter_down() -> Advice:
    """Return what a person is told while nobody counts requests."""
    cause = "our own rate limiter (Redis) does not answer"
    return advice(Reason.UPSTREAM_UNAVAILABLE, "by_person", cause=cause)


def fingerprint(text: str) -> str:
    """Name a key without holding it, for remembering which organisation it belonged to when last tested."""
    digest = hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
    return digest[:32]


class ProbeTokens:
    """
    Takes a token of the right bucket before each request of a probe: those it cannot do without at once, or none.

    Who is refused has a place in the bucket's queue, under the name of `waiting`, and is told when it is their turn.

    A key that was never seen tells its organisation only by asking. Its first request runs on the key's own small
    bucket, so that hammering one key stays bounded, and is charged to the organisation afterwards; what else it cannot
    do without may be paid by waiting, too.
    """

    def __init__(self, owner: str | None, *, waiting: str, api_key: str = "") -> None:
        self._owner, self._api_key = owner, api_key
        self._waiting = fingerprint(waiting)
        self._unpaid: list[Family] = []
        self._in_hand: Counter[Family] = Counter()
        # Whose bucket each family's tokens came from, or where there is a place now.
        self._asked: dict[Family, str] = {}

    def take(self, organization_id: str | None, family: Family) -> None:
        """Take one token or raise UpstreamError(rate_limited); called before each request."""
        owner = organization_id or self._owner
        try:
            if owner is None:
                self._take_unknown(family)
            elif self._unpaid:
                self._pay(owner)
                self._take_in_advance(owner, family)
            elif not self._in_hand[family]:
                self._take_together(owner, family)
        except BucketUnavailableError as error:
            raise UpstreamError.told(limiter_down(), Fate.RETRYABLE) from error
        if owner is not None:
            self._in_hand[family] -= 1

    def settle(self, result: ProbeResult) -> ProbeResult:
        """
        Give back what was not needed, charge the first request that found its organisation, obey each 429.

        Shape:   the result as a person reads it: when a test that failed for a while can be made again
        Raises:  BucketUnavailableError
        """
        is_waiting = not result.ok and result.reason is Reason.RATE_LIMITED and not result.rate_limited
        for family, asked in self._asked.items():
            if self._in_hand[family] or not is_waiting:
                self._give_back(asked, family)
        owner = result.organization.id if result.organization else self._owner
        if owner is not None:
            self._pay(owner)
            for family, wait_seconds in result.rate_limited.items():
                seconds = wait_seconds or UNSAID_WAIT_SECONDS
                answer = self._bucket(owner, family).penalise(lanes.seed_of(owner, family), seconds)
                lanes.note_level(owner, family, answer)
            if self._api_key and result.organization:
                bucket.remember_owner(fingerprint(self._api_key), owner)
        return result if is_waiting else _for_person(result)

    def _bucket(self, owner: str, family: Family) -> Bucket:
        return Bucket(lanes.owner_key(owner, family), rate_of(family))

    def _pay(self, owner: str) -> None:
        while self._unpaid:
            family = self._unpaid.pop()
            answer = self._bucket(owner, family).debit(lanes.seed_of(owner, family))
            lanes.note_level(owner, family, answer)

    def _take_unknown(self, family: Family) -> None:
        rate = rate_of(_CLASSIC)
        key = f"unknown:{fingerprint(self._api_key)}"
        answer = Bucket(key, rate).acquire(Seed(rate.full_us))
        if not answer.granted:
            raise _refusal("limiter", answer.wait_seconds)
        self._unpaid.append(family)

    def _take_in_advance(self, owner: str, family: Family) -> None:
        """Take what was known only now to be needed; the level may fall below zero by a probe, a small bucket's by less."""
        limited = self._bucket(owner, family)
        debt = min(PROBE_TOKENS, limited.rate.capacity - 1)
        answer = limited.acquire(lanes.seed_of(owner, family), reserve=-debt)
        if not answer.granted:
            self._take(owner, family, PROBE_TOKENS)
            return
        lanes.note_level(owner, family, answer)
        self._asked[family] = owner
        self._in_hand[family] += 1

    def _take_together(self, owner: str, family: Family) -> None:
        if self._asked:
            self._take(owner, family, 1 if family in self._asked else PROBE_TOKENS)
            return
        for needed in _NEEDED[family]:
            self._take(owner, needed, PROBE_TOKENS)

    def _take(self, owner: str, family: Family, tokens: int) -> None:
        self._asked[family] = owner
        seed = lanes.seed_of(owner, family)
        answer = self._bucket(owner, family).take(seed, Place(self._waiting, tokens))
        if not answer.granted:
            raise _refusal("place_kept", answer.wait_seconds)
        # Before the request: should Redis lose the bucket now, it is seeded without these tokens.
        lanes.note_level(owner, family, answer)
        self._in_hand[family] += tokens

    def _give_back(self, owner: str, family: Family) -> None:
        place = Place(self._waiting, self._in_hand.pop(family, 0))
        self._bucket(owner, family).give_back(lanes.seed_of(owner, family), place)


def _refusal(variant: str, wait_seconds: float) -> UpstreamError:
    facts = {"when": _moment(wait_seconds)}
    if variant == "place_kept":
        facts["until"] = _moment(wait_seconds + KEPT_SECONDS)
    told = advice(Reason.RATE_LIMITED, variant, **facts)
    return UpstreamError.told(told, Fate.RETRYABLE, retry_after_seconds=wait_seconds)


def _for_person(result: ProbeResult) -> ProbeResult:
    """Say when the person can test again, as long as upstream asked for; nobody else will."""
    if result.ok or result.reason not in PASSING:
        return result
    wait_seconds = result.retry_after_seconds
    if wait_seconds is None and result.reason is Reason.RATE_LIMITED:
        wait_seconds = UNSAID_WAIT_SECONDS  # for which the bucket is blocked now
    facts = {} if wait_seconds is None else {"when": _moment(wait_seconds)}
    remedy = advice(result.reason, "by_person", **facts).remedy
    return replace(result, remedy=remedy, retry_after_seconds=wait_seconds)


def _moment(seconds: float) -> str:
    now = database_now()
    # Rounded up: who comes on the second must not be early.
    when = now + dt.timedelta(seconds=seconds + 1)
    return f"at {when:%H:%M:%S} UTC" if when.date() == now.date() else f"on {when:%d %B at %H:%M:%S} UTC"
