"""How many requests a token has, and how clients are told: draft-ietf-httpapi-ratelimit-headers-11; counts nothing."""

from dataclasses import dataclass

# Generous: ten pages a second for a minute. It guards the service, it is not a plan's allowance.
REQUESTS_PER_MINUTE = 600
MINUTE_SECONDS = 60
_POLICY = "token"
POLICY_FIELD = f'"{_POLICY}";q={REQUESTS_PER_MINUTE};w={MINUTE_SECONDS}'


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the minute's requests, and in how many seconds the next minute begins."""

    left: int
    seconds: int

    @property
    def field(self) -> str:
        """The value of the RateLimit field."""
        return f'"{_POLICY}";r={self.left};t={self.seconds}'
