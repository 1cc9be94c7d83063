from __future__ import annotations

import re
import time

import time_machine
from django.core.cache import cache

from accounts.models import ApiToken
from foundation.api.allowance import REQUESTS_PER_MINUTE
from tests.api.conftest import problem
from workers import bucket

QUARTER_PAST = "2026-11-20T09:30:15Z"


class TestAllowance:
    """draft-ietf-httpapi-ratelimit-headers-11: what is allowed, what is left, and until when."""

    def test_is_told_with_each_answer(self, viewer):
        with time_machine.travel(QUARTER_PAST, tick=False):
            first, second = viewer.get("connections/"), viewer.get("connections/")

        assert first["RateLimit-Policy"] == '"token";q=600;w=60'
        assert (first["RateLimit"], second["RateLimit"]) == ('"token";r=599;t=45', '"token";r=598;t=45')

    def test_is_told_with_problems_and_files(self, viewer):
        wrong = viewer.get("costs/", modell="opus")

        problem(wrong, 400)
        assert re.fullmatch(r'"token";r=599;t=\d+', wrong["RateLimit"])

    def test_ends_with_429_and_the_time_to_wait(self, viewer):
        with time_machine.travel(QUARTER_PAST, tick=False) as clock:
            spend(REQUESTS_PER_MINUTE - 1)
            last, refused = viewer.get("connections/"), viewer.get("connections/")
            clock.shift(int(refused["Retry-After"]))
            later = viewer.get("connections/")

        assert (last.status_code, last["RateLimit"]) == (200, '"token";r=0;t=45')
        assert problem(refused, 429)["code"] == "throttled"
        assert (refused["Retry-After"], refused["RateLimit"]) == ("45", '"token";r=0;t=45')
        assert "Wait 45 s" in refused.json()["detail"]
        assert later.status_code == 200

    def test_is_each_tokens_own(self, viewer, admin):
        with time_machine.travel(QUARTER_PAST, tick=False):
            viewer.get("connections/")

            assert admin.get("connections/")["RateLimit"] == '"token";r=599;t=45'

    def test_is_not_told_to_nobody(self, nobody, db):
        assert "RateLimit" not in nobody.get("connections/")


def spend(requests: int) -> None:
    """Count requests of the only token in the minute that is now."""
    cache.set(f"api-requests:{ApiToken.objects.get().pk}:{int(time.time() // 60)}", requests, 120)


class TestWithoutRedis:
    """Reading needs no Redis; whatever asks upstream does, because no request is made without a token."""

    def test_reading_goes_on(self, viewer, settings):
        settings.CACHES = unreachable()

        answer = viewer.get("connections/")

        assert answer.status_code == 200
        assert "RateLimit" not in answer

    def test_a_key_test_says_what_is_wrong(self, admin, settings, acorn_key):
        settings.CACHES = unreachable()
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        bucket.redis_client.cache_clear()

        answer = admin.post("connections/test/", {"api_key": acorn_key})

        bucket.redis_client.cache_clear()
        assert answer.status_code == 200
        assert answer.json()["reason"] == "upstream_unavailable"
        assert "Redis" in answer.json()["detail"]


def unreachable() -> dict[str, object]:
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
