"""Row 2 of the matrix: beat killed, doubled, and dead over the daily time."""

from __future__ import annotations

import pytest

from tests.faults.lab import MONTH, Lab
from tests.faults.verdict import judge, rest

pytestmark = pytest.mark.faults


def test_beat_killed_in_the_middle_of_a_backfill(lab: Lab) -> None:
    """Row 2: kill -9 of beat; nothing is lost, and the next one goes on at once."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    lab.kill("beat-1")
    lab.eventually(
        lambda: lab.value("SELECT count(*) FROM workers_lane WHERE state = 'waiting' AND due_at < now()"),
        "the lane waits for somebody to wake it",
    )
    lab.start_beat()
    lab.note_recovery("kill -9 of beat: going on after its start")

    judge(lab, connection)


def test_two_beats_and_one_that_was_dead_at_six(lab: Lab) -> None:
    """Row 2: no beat at 06:00, two beats from 09:00: one daily run a connection, and a next time for each."""
    lab.run_engine()
    connections = [lab.connect(days=MONTH) for _ in range(3)]
    rest(lab)
    lab.kill("beat-1")
    lab.rows("UPDATE integrations_connection SET next_sync_at = now() - interval '3 hours'")
    lab.start_beat(1)
    lab.start_beat(2)
    lab.eventually(lambda: _daily(lab) >= 3, "the daily runs were made")
    # And once more, as a clock that jumps back would: the day has its run.
    lab.rows("UPDATE integrations_connection SET next_sync_at = now() - interval '1 hour'")
    lab.eventually(
        lambda: lab.value("SELECT count(*) FROM integrations_connection WHERE next_sync_at > now()") == 3,
        "each has its next time",
    )

    judge(lab, *connections)
    assert _daily(lab) == 3
    assert (
        lab.value("SELECT count(*) FROM workers_syncrun WHERE trigger = 'daily' AND status = 'succeeded'")
        == 3
    )


def _daily(lab: Lab) -> int:
    return lab.value("SELECT count(*) FROM workers_syncrun WHERE trigger = 'daily'")
