"""One simulator for all tests here, put back to ordinary after each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from devtools.simulator.process import Simulator

from .caller import TODAY, Caller

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def running() -> Iterator[Simulator]:
    with Simulator.start(seed=1, today=TODAY, organisations=10_000) as simulator:
        yield simulator


@pytest.fixture
def sim(running: Simulator) -> Iterator[Simulator]:
    yield running
    running.clear_faults()
    running.set_clock("2026-11-20T12:00:00Z")


@pytest.fixture
def call(sim: Simulator) -> Any:
    """Give a caller for an organisation's slug; each test that changes something takes one of its own."""
    return lambda slug: Caller(sim.base_url, slug)


@pytest.fixture
def acorn(call: Any) -> Caller:
    return call("acorn-studio")


@pytest.fixture
def cedar(call: Any) -> Caller:
    return call("cedar-group")
