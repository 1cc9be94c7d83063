from __future__ import annotations

from workers import bucket


class TestWithoutRedis:
    """Reading needs no Redis; whatever asks upstream does, because no request is made without a token."""

    def test_reading_goes_on(self, viewer, settings):
        settings.CACHES = unreachable()

        assert viewer.get("connections/").status_code == 200

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
