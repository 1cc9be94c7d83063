"""Page tokens that are bound to the exact query they were issued for; stateless, so they survive a restart."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

from .wire import ApiError

_MARK_BYTES = 12
EXPIRED = "The page token has expired because the data was refreshed; restart from the first page"
MISMATCH = "Invalid page token: cursor does not match current query parameters"


class Cursors:
    """Issues and reads tokens of one seed."""

    def __init__(self, seed: int) -> None:
        self._key = f"cursor {seed}".encode()

    def issue(self, question: str, position: str) -> str:
        """Return an opaque token for a position inside the answer to a question."""
        return "page_" + urlsafe_b64encode(self._mark(question, position) + position.encode()).decode()

    def read(self, question: str, token: str) -> str:
        """Return the position; raises ApiError 400 when the token is foreign or the question has changed."""
        try:
            raw = urlsafe_b64decode(token.removeprefix("page_"))
            position = raw[_MARK_BYTES:].decode()
        except ValueError as error:
            raise ApiError(400, "Invalid page token") from error
        if raw[:_MARK_BYTES] != self._mark(question, position):
            raise ApiError(400, MISMATCH)
        return position

    def _mark(self, question: str, position: str) -> bytes:
        return blake2b(f"{question}\x1f{position}".encode(), key=self._key, digest_size=_MARK_BYTES).digest()
