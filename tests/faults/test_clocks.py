"""Row 7 of the matrix: workers and beat whose clocks are an hour off, and one that steps back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.lab import Lab
from tests.faults.verdict import judge

pytestmark = pytest.mark.faults

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: apt-get install faketime)")
def test_clocks_an_hour_off_and_stepping_back(lab: Lab) -> None:
    """Row 7: one worker an hour ahead, one behind, beat ahead; then the first steps back by more than an hour."""
    clock = lab.servers.base / "clock"
    clock.write_text("+1h\n")
    ahead = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
    }
    for name in [name for name in lab.processes if name != "web"]:
        lab.kill(name)
    lab.start_worker(1, **ahead)
    lab.start_worker(2, LD_PRELOAD=str(LIBRARY), FAKETIME="-1h")
    lab.start_beat(**ahead)
    connection = lab.connect()
    lab.until_pages(4)
    clock.write_text("-10m\n")
    lab.note_recovery("clocks of beat and a worker set back by 70 minutes: going on")

    judge(lab, connection)
