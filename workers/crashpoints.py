"""Named places where a test may end the process, between any two statements that matter.

A production process has no `TALLYSTICK_CRASH_AT` and passes through for the price of one comparison.
"""

import os
import signal

# "name:3" ends the process with SIGKILL, as a machine would, the third time it passes the place.
_AT, _, _NTH = os.environ.get("TALLYSTICK_CRASH_AT", "").partition(":")
_passed = 0

POINTS = (
    "claimed",
    "chosen",
    "token-taken",
    "grant-noted",
    "answered",
    "page-archived",
    "facts-written",
    "before-commit",
    "after-commit",
    "lane-released",
    "tick-woken",
)


def crash(point: str) -> None:
    """End the process here if the environment asks for it."""
    if point != _AT:
        return
    global _passed  # noqa: PLW0603 - one counter a process is the point
    _passed += 1
    if _passed == int(_NTH or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
