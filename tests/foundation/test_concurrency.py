"""ConcurrencyLimit for large files: so many in all, fewer for one account, and none is ever lost."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from uuid import uuid4

import pytest

from foundation.concurrency import ConcurrencyLimit
from foundation.problems import ProblemError

ACORN, BIRCH, CEDAR = uuid4(), uuid4(), uuid4()


def refusal(places: ConcurrencyLimit, account_id) -> ProblemError:
    with pytest.raises(ProblemError) as caught, places.held(account_id):
        pass
    return caught.value


class TestPlaces:
    def test_are_shared_so_that_one_account_cannot_have_all(self):
        places = ConcurrencyLimit(most=4, most_an_account=2)
        with places.held(ACORN), places.held(ACORN):
            refused = refusal(places, ACORN)

            with places.held(BIRCH), places.held(BIRCH):
                full = refusal(places, CEDAR)

        assert (refused.status_code, refused.code, refused.wait) == (429, "too_many_exports", 15)
        assert "2 exports running" in str(refused.detail)
        assert (full.status_code, full.code, full.wait) == (503, "exports_busy", 15)
        assert refused.is_temporary
        assert full.is_temporary

    def test_tell_an_account_with_its_share_that_it_is_its_own_doing(self):
        places = ConcurrencyLimit(most=2, most_an_account=2)

        with places.held(ACORN), places.held(ACORN):
            assert refusal(places, ACORN).status_code == 429
            assert refusal(places, BIRCH).status_code == 503

    def test_are_given_back_also_after_an_error(self):
        places = ConcurrencyLimit(most=1, most_an_account=1)

        with pytest.raises(ZeroDivisionError), places.held(ACORN):
            raise ZeroDivisionError

        with places.held(ACORN):
            assert refusal(places, BIRCH).code == "exports_busy"

    def test_forget_accounts_that_have_none(self):
        places = ConcurrencyLimit(most=1, most_an_account=1)

        for _ in range(10):
            with places.held(uuid4()):
                pass

        assert len(places._taken) == 0

    def test_are_never_more_than_there_are_among_threads(self):
        places, inside, most, lock = ConcurrencyLimit(3, 2), [], [], threading.Lock()

        def ask(account_id) -> None:
            for _ in range(300):
                with ExitStack() as stack:
                    try:
                        stack.enter_context(places.held(account_id))
                    except ProblemError:
                        continue
                    with lock:
                        inside.append(account_id)
                        most.append((len(inside), max(map(inside.count, inside))))
                    with lock:
                        inside.remove(account_id)

        threads = [threading.Thread(target=ask, args=(one,)) for one in (ACORN, BIRCH, CEDAR) * 3]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]

        assert max(total for total, _ in most) <= 3
        assert max(share for _, share in most) <= 2
        assert len(places._taken) == 0
