from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def generated() -> dict[str, Any]:
    out = io.StringIO()
    # As JSON, since PyYAML's C emitter fails while coverage traces it.
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=out)
    return json.loads(out.getvalue())


class TestDocument:
    def test_is_the_committed_one(self, generated):
        """After a change: `manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml`."""
        assert generated == yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))

    def test_is_openapi_3_1_with_bearer_tokens(self, generated):
        assert generated["openapi"] == "3.1.0"
        assert generated["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"

    def test_names_the_problems_of_every_operation(self, generated):
        operations = [operation for path in generated["paths"].values() for operation in path.values()]

        assert len(operations) == 35
        assert all({"401", "403", "429", "503"} <= operation["responses"].keys() for operation in operations)

    def test_never_returns_a_key(self, generated):
        schemas = generated["components"]["schemas"]

        holding = [name for name, schema in schemas.items() if "api_key" in schema.get("properties", {})]

        assert all(schemas[name]["properties"]["api_key"]["writeOnly"] for name in holding)
        assert holding

    def test_is_served_without_a_token(self, db):
        answer = Client().get("/api/schema/?format=json")

        assert answer.status_code == 200
        assert answer.json()["info"]["title"] == "Tallystick"


class TestReader:
    def test_has_no_inline_script(self):
        answer = Client().get("/api/docs/")

        assert answer.content.count(b"<script src=") == answer.content.count(b"<script")
        policy = answer["Content-Security-Policy"].split("; ")
        assert "script-src 'self'" in policy
        assert Client().get("/api/docs/start.js")["Content-Type"].startswith("text/javascript")
