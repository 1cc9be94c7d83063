"""The code uses the words of docs/glossary.md and none of those that it replaced."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
ROOMS = (
    "accounts",
    "alerts",
    "config",
    "costs",
    "dashboard",
    "devtools",
    "foundation",
    "integrations",
    "workers",
)
# As parts of names: snake_case and CamelCase are split into their words.
REPLACED = ["crashpoint", "nudge", "doorbell", "strand", "tallies"]
SOURCES = sorted(
    path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts
)


def names_in(path: Path) -> set[str]:
    """Every name that a module defines or uses, in its single words."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for attribute in ("name", "id", "attr", "arg"):
            name = getattr(node, attribute, None)
            if isinstance(name, str):
                found |= {word.lower() for word in re.findall(r"[A-Za-z][a-z]*", name)}
    return found


USED = {path: names_in(path) for path in SOURCES}


@pytest.mark.parametrize("word", REPLACED)
def test_a_replaced_word_is_in_no_name(word):
    assert [str(path.relative_to(ROOT)) for path, words in USED.items() if word in words] == []


def test_there_is_code_to_look_at():
    assert len(SOURCES) > 200


@pytest.mark.parametrize("word", ["report", "lane", "attempt", "rollup", "grain", "failpoint", "reserve"])
def test_a_word_of_the_glossary_is_in_use(word):
    assert word in GLOSSARY.lower()
    assert any(word in words for words in USED.values())
