"""Hands Django's `test` command over to pytest; holds no test and no fixture."""

import os
import signal
import subprocess
import sys
from typing import Any

from runtime import child
from runtime.stack import PROJECT


class PytestRunner:
    """The TEST_RUNNER of the settings: labels are pytest's arguments, the result is its exit status."""

    def __init__(self, **_: Any) -> None:
        """Accept and ignore the options that Django's own runner has; pytest reads its own."""

    def run_tests(self, test_labels: list[str], **_: Any) -> int:
        """
        Run pytest and give its exit status (0 passed, 1 failed, 2 interrupted, 5 nothing collected).

        In a process of its own: here Django is loaded already, so coverage would miss every class body and
        `-W error` every warning of an import.
        """
        tied = (sys.executable, "-I", "-S", child.__file__, str(os.getpid()), str(int(signal.SIGKILL)), "-")
        process = subprocess.Popen([*tied, sys.executable, "-m", "pytest", *test_labels], cwd=PROJECT)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt as interruption:
                # Ctrl-C in a terminal reached pytest too, and a second one would cut its clearing up short;
                # a signal to this process alone (the launcher's subclass, or no terminal) did not.
                if type(interruption) is not KeyboardInterrupt or not sys.stdin.isatty():
                    process.send_signal(signal.SIGINT)
