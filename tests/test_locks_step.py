"""The check of the locks finds what a set lacks: followed through packages, extras, markers and versions."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("locks_step", Path(__file__).parents[1] / ".ci" / "locks.py")
locks_step = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(locks_step)

NEEDS = {
    "web": locks_step.requirements_in("wire>=2\ncache ; extra == 'fast'\nold ; python_version < '3.12'"),
    "cache": locks_step.requirements_in("disk"),
}


def lacking(asked: str, locked: str, python: str = "3.13") -> list[str]:
    environment = {
        **next(locks_step.environments()),
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    asked, locked = (locks_step.requirements_in(text) for text in (asked, locked))
    return locks_step.lacking(asked, locked, NEEDS, environment)


class TestLacking:
    @pytest.mark.parametrize(
        ("asked", "locked"),
        [
            ("web", "web==1\nwire==2.1"),
            ("web[fast]", "web==1\nwire==2.1\ncache==1\ndisk==1"),
            ("Web", "web==1 \\\n    --hash=sha256:00\n    # via -r x\nwire==2.1"),
        ],
    )
    def test_is_nothing_in_a_whole_set(self, asked, locked):
        assert lacking(asked, locked) == []

    @pytest.mark.parametrize(
        ("asked", "locked", "told"),
        [
            ("mail", "web==1\nwire==2.1", "the list needs mail, which is not locked"),
            ("web", "web==1", "web needs wire, which is not locked"),
            ("web", "web==1\nwire==1.9", "web needs wire>=2, and 1.9 is locked"),
            ("web[fast]", "web==1\nwire==2.1", "web needs cache, which is not locked"),
            ("web[fast]", "web==1\nwire==2.1\ncache==1", "cache needs disk, which is not locked"),
            ("web", "web==1\nwire==2.1 ; python_version < '3.12'", "web needs wire, which is not locked"),
        ],
    )
    def test_is_told_with_who_needs_it(self, asked, locked, told):
        assert lacking(asked, locked) == [told]

    def test_depends_on_the_python(self):
        assert lacking("web", "web==1\nwire==2.1", python="3.11") == ["web needs old, which is not locked"]
