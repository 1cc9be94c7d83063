"""Who may send a large file now: so many at once in this process, and fewer for one account; knows no file."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from uuid import UUID

from foundation.problems import ProblemError

_RETRY_AFTER_SECONDS = 15


class ConcurrencyLimit:
    """A number of places that threads take and give back; an account holds at most its share of them."""

    def __init__(self, most: int, most_an_account: int) -> None:
        self._most = most
        self._most_an_account = most_an_account
        self._lock = threading.Lock()
        self._taken: Counter[UUID] = Counter()

    @contextmanager
    def held(self, account_id: UUID) -> Iterator[None]:
        """
        Hold a place while the block runs.

        Raises:  ProblemError (temporary, with Retry-After): 429 too_many_exports where the account has its share
                 already, else 503 exports_busy where there is none left
        """
        self._take(account_id)
        try:
            yield
        finally:
            self._give_back(account_id)

    def _take(self, account_id: UUID) -> None:
        with self._lock:
            # First what the account itself can do something about.
            if self._taken[account_id] >= self._most_an_account:
                raise _refusal(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "too_many_exports",
                    f"This account has {self._most_an_account} exports running, which is its share of the "
                    f"{self._most} places. Try again when one of them has ended.",
                )
            if self._taken.total() >= self._most:
                raise _refusal(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "exports_busy",
                    f"{self._most} exports are running, which is the most at once. Try again in a moment.",
                )
            self._taken[account_id] += 1

    def _give_back(self, account_id: UUID) -> None:
        with self._lock:
            self._taken[account_id] -= 1
            # An account that has none must not be remembered for ever.
            self._taken = +self._taken


def _refusal(status: HTTPStatus, code: str, detail: str) -> ProblemError:
    return ProblemError(status, code, detail, is_temporary=True, wait=_RETRY_AFTER_SECONDS)
