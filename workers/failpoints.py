"""Named places where a test may end the process, between any two statements that matter.

A production process has no `TALLYSTICK_FAILPOINT` and passes through for the price of one comparison.
"""

import os
import signal

# "name:3" ends the process with SIGKILL, as a machine would, the third time it passes the place.
_AT, _, _NTH = os.environ.get("TALLYSTICK_FAILPOINT", "").partition(":")
_passed = 0

# Each place, and what is there when the process dies at it. ConcurrencyLimit inside a transaction leave nothing of it.
POINTS = {
    "daily-started": "The day's runs are committed and their lanes not woken yet: the next tick wakes them.",
    "tick-woken": "Lanes are woken and no message is sent: the wake time-out ends, and a tick wakes them again.",
    "claimed": "The lane is leased and nothing else: the lease ends, as after every place from here on.",
    "steps-planned": "Inside: a run without steps still has none, and is planned by whoever claims next.",
    "chosen": "Nothing was written.",
    "token-taken": "Redis holds one token less and no row says so: a token is lost, no request was made.",
    "grant-noted": "The lane knows of the token and the run of a start: no request was made, and it is started again.",
    "answered": "The answer died with the process: the only request that is made twice.",
    "penalised": "Redis blocks the bucket after a 429 and no row says so: lost there, too, the next request learns it.",
    "failure-noted": "Inside: the failure is forgotten and happens again, or does not.",
    "page-archived": "Inside: neither page nor cursor is there, the page is asked for again.",
    "facts-written": "Inside: neither facts nor a closed step; the page is asked for again.",
    "before-commit": "Inside: the same, with everything written.",
    "after-commit": "Page, facts, step and run are there, together: the next holder does the next step.",
    "lane-released": "The lane is idle or waits: nothing is left to do, or its time comes.",
}


def failpoint(point: str) -> None:
    """End the process here if the environment asks for it."""
    if point != _AT:
        return
    global _passed  # noqa: PLW0603 - one counter a process is the point
    _passed += 1
    if _passed == int(_NTH or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
