"""Prints what the fault lab measured below the results, in whichever process each test ran; loaded with `-p`."""

from __future__ import annotations

import os
import random

import pytest

SEED = "TALLYSTICK_FAULTS_SEED"
_KIND = "fault lab"
_worst: dict[str, float] = {}


def pytest_configure() -> None:
    # Before other processes are started: they inherit it.
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(10**6)))


def attach(item: pytest.Item, measured: dict[str, float]) -> None:
    """Send a test's measured times along with its report."""
    item.user_properties += [(_KIND, each) for each in measured.items()]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "teardown":
        return
    for kind, value in report.user_properties:
        if kind == _KIND:
            fault, seconds = value
            _worst[fault] = max(seconds, _worst.get(fault, 0.0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _worst:
        return
    terminalreporter.section(f"fault lab, {SEED}={os.environ[SEED]}")
    for fault, seconds in sorted(_worst.items()):
        terminalreporter.write_line(f"{seconds:7.2f}  {fault}")
