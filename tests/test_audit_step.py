"""The check of dependencies tells a safe machine from one that could not ask."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("audit_step", Path(__file__).parents[1] / ".ci" / "audit.py")
audit_step = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(audit_step)

SAFE = {"name": "django", "version": "5.2.19", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {
    "name": "amqp",
    "skip_reason": "Dependency not found on PyPI and could not be audited: amqp (5.4.2)",
}


class TestVerdict:
    @pytest.mark.parametrize("report", [None, {}, {"dependencies": []}, {"dependencies": [UNKNOWN, UNKNOWN]}])
    def test_does_not_call_safe_what_was_not_looked_up(self, report):
        status, words = audit_step.verdict(report)

        assert (status, words.startswith("NOT CHECKED")) == (0, True)

    def test_fails_for_a_known_vulnerability_and_names_the_way_out(self):
        assert audit_step.verdict({"dependencies": [SAFE, BAD]}) == (
            1, "old 1.0: CVE-1, mended in 1.1\n2 packages, 1 known vulnerabilities",
        )  # fmt: skip

    def test_counts_what_nobody_knows(self):
        status, words = audit_step.verdict({"dependencies": [SAFE, UNKNOWN]})

        assert (status, words) == (0, "1 packages, 0 known vulnerabilities, 1 unknown there")
