"""Signs of life in Redis: beat leaves one every few seconds, and it is gone soon after beat is."""

from contextlib import suppress

import redis

from workers.bucket import redis_client

_BEAT = "tallystick:beat"
# Three signs may be late before nobody believes in beat any more.
EVERY_SECONDS = 10.0
GOOD_FOR_SECONDS = 30


def leave_of_beat() -> None:
    """Say that beat lives; whoever cannot, has nothing to ring with either, and sending says so."""
    with suppress(redis.RedisError, OSError):
        redis_client().set(_BEAT, b"1", ex=GOOD_FOR_SECONDS)


def is_beat_alive() -> bool:
    """Say whether beat has left a sign within the last half minute; redis.RedisError when nobody can tell."""
    return bool(redis_client().exists(_BEAT))
