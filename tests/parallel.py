"""Lets several pytest processes share the servers of one `manage.py test`, and hands the tests out to them.

Loaded with `-p`, before Django's settings are: they read REDIS_URL when they are imported. pytest-django gives
each process a database of its own; this module gives it a Redis database as well.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Tests that mostly wait for real processes. Some processes begin with these, the others with the tests that
# only compute, so that both kinds share the cores from the first minute to the last.
_WAITING = ("tests/faults/", "tests/flows/", "tests/runtime/", "tests/browser/")
# On one core, too, one process computes while the other waits. Redis has 16 databases.
_FEWEST, _MOST = 2, 8
# One Chromium is enough: these stay together.
_TOGETHER = ("tests/browser/",)


def moved_database(url: str, by: int) -> str:
    """Return a Redis address whose database is `by` numbers further on."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "unix" or "db" in query:
        query["db"] = str(int(query.get("db", 0)) + by)
        return f"{url.partition('?')[0]}?{urlencode(query)}"
    return parts._replace(path=f"/{int(parts.path.strip('/') or 0) + by}").geturl()


def _number(worker_id: str) -> int:
    return int(worker_id.removeprefix("gw"))


def _take_own_redis_database() -> None:
    worker_id = os.environ.get("PYTEST_XDIST_WORKER")
    if worker_id is None:
        return
    url = os.environ.get("REDIS_URL") or Path(os.environ.pop("REDIS_URL_FILE")).read_text("utf-8").strip()
    os.environ["REDIS_URL"] = moved_database(url, _number(worker_id))


_take_own_redis_database()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.hookimpl(wrapper=True)  # before xdist's own, which turns the number into processes
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Run the whole suite in several processes; whoever names tests or watches them gets one, or what -n says."""
    option = config.option
    is_watched = option.usepdb or option.trace or option.capture == "no" or option.collectonly
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (
        option.keyword or option.markexpr
    )
    if (
        option.numprocesses is None
        and is_whole
        and not is_watched
        and "PYTEST_XDIST_WORKER" not in os.environ
    ):
        option.numprocesses = min(max(_cores(), _FEWEST), _MOST)
    return (yield)


class Scheduler(LoadScopeScheduling):
    """Hands out one test at a time: to every other process from the front of the list, to the rest from its end."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if _number(node.gateway.id) % 2:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler | None:
    """Take the place of xdist's default; another one can be asked for with --dist."""
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return Scheduler(config, log)


@pytest.hookimpl(
    trylast=True
)  # after the shuffle, and after pytest-django has sorted by kind of database use
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the waiting tests first; what is within them stays in its random order."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    return next(
        (rank for rank, folder in enumerate(_WAITING) if item.nodeid.startswith(folder)), len(_WAITING)
    )
