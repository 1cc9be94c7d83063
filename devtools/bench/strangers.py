"""Compare how long an answer to a stranger takes for an address that has a sign-in and for one that has none.

    .venv/bin/python -m devtools.bench.strangers [--tries 200]

Prints medians over alternating tries, and how far apart two halves of the same tries are, which is what chance does. Each
try is a person and an address of its own, so that no limit and no cache comes between.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from http import HTTPStatus

from devtools.bench.figures import Figure, median, print_table, timed
from devtools.bench.ground import started

_PASSWORD = "correct horse battery"  # noqa: S105 - of people who exist for a minute


def main() -> None:
    """Measure asking for a new password, and signing in with a wrong one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=200)
    tries = parser.parse_args().tries
    with started(organisations=1, settings={"ALLOWED_HOSTS": "testserver", "LOG_LEVEL": "ERROR"}):
        # Names Django's models, which are there only now.
        from django.contrib.auth.hashers import make_password  # noqa: PLC0415
        from django.test import Client  # noqa: PLC0415

        from accounts.models import Account, Membership, Role, User  # noqa: PLC0415

        hashed = make_password(_PASSWORD)
        people = User.objects.bulk_create(
            User(email=f"known{n}@example.com", password=hashed) for n in range(tries + 1)
        )
        account = Account.objects.create(name="Bench")
        Membership.objects.bulk_create(
            Membership(account=account, user=each, role=Role.VIEWER) for each in people
        )

        def post(path: str, form: dict[str, str], number: int, expected: int) -> None:
            answer = Client(REMOTE_ADDR=f"10.1.{number // 250}.{number % 250}").post(path, form)
            if answer.status_code != expected:
                raise RuntimeError(f"{path} answered {answer.status_code}: nothing was measured")

        def reset(email: str, number: int) -> None:
            post("/accounts/password/reset/", {"email": email}, number, HTTPStatus.FOUND)

        def sign_in(email: str, number: int) -> None:
            form = {"login": email, "password": "not the password"}
            post("/accounts/login/", form, number, HTTPStatus.OK)

        print_table("Asking for a new password", _compare(reset, tries))
        print_table("Signing in with a wrong password", _compare(sign_in, tries))


def _compare(ask: Callable[[str, int], None], tries: int) -> list[Figure]:
    """Ask for known and unknown addresses in turns, which of them first drawn anew for each pair."""
    taken: dict[str, list[float]] = {"known": [], "unknown": []}
    for kind in taken:
        ask(f"{kind}{tries}@example.com", 2 * tries)  # the first of all loads modules
    for number in range(tries):
        for kind in random.sample(list(taken), 2):
            number_of_client = 2 * number + (kind == "known")
            taken[kind].append(
                timed(
                    lambda kind=kind, number=number, client=number_of_client: ask(
                        f"{kind}{number}@example.com", client
                    )
                )
            )
    known, unknown = median(taken["known"]) * 1000, median(taken["unknown"]) * 1000
    return [
        Figure("somebody's address, median", known, "ms"),
        Figure("nobody's address, median", unknown, "ms"),
        Figure("apart", abs(known - unknown), "ms"),
        Figure("apart by chance (halves of one)", _by_chance(taken["unknown"]), "ms", note="the limit"),
    ]


def _by_chance(seconds: Sequence[float]) -> float:
    return abs(median(seconds[::2]) - median(seconds[1::2])) * 1000


if __name__ == "__main__":
    main()
