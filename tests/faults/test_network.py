"""Row 14 of the matrix: the network between workers and their servers drops everything, then heals."""

from __future__ import annotations

import time

import pytest

from tests.faults.lab import IS_FULL, Lab, long_form
from tests.faults.verdict import judge

pytestmark = pytest.mark.faults

SECONDS = 20 if IS_FULL else 6


@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_silence_for_longer_than_a_lease(lab: Lab, server: str) -> None:
    """Row 14: every packet is dropped for longer than a lease, then the network heals."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    path = lab.servers.postgres_path if server == "postgres" else lab.servers.redis_path
    path.hold()
    time.sleep(SECONDS)
    path.heal()
    lab.note_recovery(f"network to {server} silent: going on after it healed")

    # What was granted before the silence is sent after it.
    judge(lab, connection, jitter=2.5)


@long_form
def test_both_refused_and_back(lab: Lab) -> None:
    """Row 14: connections reset and refused, to both servers at once."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    for path in (lab.servers.postgres_path, lab.servers.redis_path):
        path.refuse()
    time.sleep(SECONDS / 2)
    for path in (lab.servers.postgres_path, lab.servers.redis_path):
        path.heal()
    lab.note_recovery("both servers refused connections: going on after they answer")

    judge(lab, connection)
