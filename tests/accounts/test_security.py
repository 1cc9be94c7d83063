"""SECURITY.md keeps its word: each threat has an answer and a test that is there; nobody gives us an address to call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django import forms

from accounts.pages import forms as settings_forms
from dashboard import forms as page_forms
from tests.test_docs import has_test

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### ([\w ]+)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))
STRIDE = {
    "Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation of privilege",
}  # fmt: skip


def rows(section: str) -> list[list[str]]:
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


ROWS = [pytest.param(row, id=row[0][:40]) for section in sorted(SECTIONS) for row in rows(section)]


class TestThreats:
    def test_of_every_kind_are_there(self):
        assert set(SECTIONS) == STRIDE
        assert min(len(rows(section)) for section in STRIDE) >= 3

    @pytest.mark.parametrize("row", ROWS)
    def test_name_a_threat_an_answer_and_tests_that_exist(self, row):
        threat, answer, tests = row

        assert threat
        assert answer
        named = re.findall(r"`([^`]+)`", tests)
        assert named
        assert [reference for reference in named if not has_test(reference)] == []


def bodies() -> list[dict[str, Any]]:
    """Every schema of a request's body in the OpenAPI document, with what it refers to."""
    document = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text("utf-8"))
    found = [
        media["schema"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "requestBody" in operation
        for media in operation["requestBody"]["content"].values()
    ]
    return [
        document["components"]["schemas"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for each in found
    ]


class TestAddresses:
    """There is nothing for a server-side request forgery to steer. Who adds such a field brings a guard, and changes this."""

    def test_are_in_no_body_of_the_api(self):
        members = {name: kind for body in bodies() for name, kind in body.get("properties", {}).items()}

        assert members
        named = [
            name for name in members if re.search(r"url|uri|address|host|webhook|endpoint|callback", name)
        ]
        assert named == []
        assert [
            name
            for name, kind in members.items()
            if kind.get("format") in {"uri", "hostname", "ipv4", "ipv6"}
        ] == []

    def test_are_in_no_form(self):
        kinds = [
            kind
            for module in (settings_forms, page_forms)
            for kind in vars(module).values()
            if isinstance(kind, type)
            and issubclass(kind, forms.BaseForm)
            and kind.__module__ == module.__name__
        ]
        fields = {name: field for kind in kinds for name, field in getattr(kind, "base_fields", {}).items()}

        assert len(fields) > 10
        assert [
            name
            for name, field in fields.items()
            if isinstance(field, forms.URLField | forms.GenericIPAddressField)
        ] == []
