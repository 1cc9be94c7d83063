"""Measures the pages of the lists of rows at a million cost rows: python -m devtools.bench.lists [--rows N] [--quick] [--json].

A page is what a program gets for one request, from the first middleware to the last byte, in the product's own process. The
first page of the whole range is to be as quick as the tenth, also with filters that many rows, few rows or none pass.
"""

import argparse
import datetime as dt
import json
from typing import Any

from devtools.bench import ground
from devtools.bench.figures import Figure, median, print_table, timed, to_json

_FILTERS = {
    "no filter": "",
    "a fifth of the rows": "&model=claude-opus-4-8",
    "a workspace and a model": "&workspace_id={workspace}&model=claude-opus-5",
    "no row": "&model=there-is-none",
    "no row, by a text no sum has": "&description=there-is-none",
}
# Quicker than the tenth by chance is no fault, and a millisecond no difference.
_RATIO = 1.5


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m devtools.bench.lists", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="cost rows (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    arguments = parser.parse_args()
    rows = arguments.rows // 10 if arguments.quick else arguments.rows
    with ground.started(organisations=1, settings=ground.NO_LIMIT):
        # Models exist only now that the servers' addresses are settings.
        from accounts import tokens  # noqa: PLC0415
        from accounts.models import Membership, Role  # noqa: PLC0415
        from accounts.tokens import Terms  # noqa: PLC0415
        from devtools.bench import ledger  # noqa: PLC0415

        user = ledger.fill(rows)
        account = Membership.objects.get(user=user).account
        _, token = tokens.issue(account, user, Terms("bench", Role.VIEWER), actor="bench")
        sections = {
            f"/api/v1/{name}/ at {rows:,} cost rows, {ledger.DAYS} days": _measure(name, token)
            for name in ("costs", "usage")
        }
        about = ground.machine()
    if arguments.json:
        print(to_json(about, dict(sections)))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    for title, figures in sections.items():
        print_table(title, figures)


def _measure(name: str, token: str) -> list[Figure]:
    from costs.models import Resource  # noqa: PLC0415

    workspace = Resource.objects.filter(kind="workspace").values_list("resource_id", flat=True)[0]
    today = dt.datetime.now(dt.UTC).date()
    days = f"from={today - dt.timedelta(days=400)}&to={today}"
    figures = []
    for title, more in _FILTERS.items():
        if name == "usage" and "description" in more:
            continue
        first = f"/api/v1/{name}/?{days}{more.format(workspace=workspace)}"
        tenth = _tenth(first, token)
        seconds = median([timed(lambda first=first: _get(first, token)) for _ in range(5)])
        if tenth is None:
            figures.append(Figure(f"{title}: first page", seconds * 1000, "ms"))
            continue
        later = median([timed(lambda tenth=tenth: _get(tenth, token)) for _ in range(5)])
        figures += [
            Figure(f"{title}: first page", seconds * 1000, "ms"),
            Figure(f"{title}: first against tenth", seconds / later, "×", _RATIO, at_least=False),
        ]
    return figures


def _tenth(address: str, token: str) -> str | None:
    """Return the address of the tenth page, None where there are fewer."""
    for _ in range(9):
        following = _get(address, token)["next"]
        if following is None:
            return None
        address = following.partition("testserver")[2]
    return address


def _get(address: str, token: str) -> Any:
    from django.conf import settings  # noqa: PLC0415
    from django.core.cache import cache  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    settings.ALLOWED_HOSTS = ["testserver"]
    cache.clear()  # or the token would have asked too often
    answer = Client(headers={"authorization": f"Bearer {token}"}).get(address)
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answered {answer.status_code}: {answer.content!r}")
    return json.loads(answer.content)


if __name__ == "__main__":
    main()
