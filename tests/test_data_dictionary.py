"""Every stored column of facts, names, connections and syncs is explained in docs/data-dictionary.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps

_TEXT = (Path(__file__).parents[1] / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
_SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", _TEXT, flags=re.MULTILINE | re.DOTALL))
# Explained by the model whose columns they share.
_LIKE = {"SupersededCost": ["CostFact", "SupersededCost"], "CostHistory": ["CostFact", "SupersededCost"]}
MODELS = [
    model
    for label in ("costs", "integrations", "workers")
    for model in apps.get_app_config(label).get_models()
]


def explained(section: str) -> set[str]:
    """The columns of a section: first cells of its tables, and those its frame sentence lists."""
    text = _SECTIONS[section]
    cells = re.findall(r"^\| (\w+) \|", text, flags=re.MULTILINE)
    frame = re.findall(r"(?:CostFact|Frame): ([\w, ]+?)(?: as in CostFact)?\.", text)
    return {*cells, *(name.strip() for listed in frame for name in listed.split(","))}


def column(field):
    """What readers of the tables see: some columns keep a name that the code no longer uses."""
    return field.db_column or field.name


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_has_every_column(model):
    known = set().union(*(explained(name) for name in _LIKE.get(model.__name__, [model.__name__])))

    missing = {column(field) for field in model._meta.concrete_fields} - known

    assert not missing


def test_explains_no_column_that_is_not_there():
    stale = {
        (model.__name__, name)
        for model in MODELS
        if model.__name__ in _SECTIONS
        for name in explained(model.__name__) - {"Column", *(column(f) for f in model._meta.concrete_fields)}
    }

    assert not stale


def test_every_report_is_listed():
    from costs.sources import SOURCES

    listed = set(re.findall(r"`(\w+)`", _SECTIONS_TEXT))
    assert set(SOURCES) <= listed


_SECTIONS_TEXT = _TEXT.split("## CostFact")[0]
