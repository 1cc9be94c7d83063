from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
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


@pytest.fixture
def operations(generated) -> list[dict[str, Any]]:
    return [operation for path in generated["paths"].values() for operation in path.values()]


class TestDocument:
    def test_is_the_committed_one(self, generated):
        """After a change: `manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml`."""
        assert generated == yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))

    def test_is_openapi_3_1_with_bearer_tokens(self, generated):
        assert generated["openapi"] == "3.1.0"
        assert generated["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"

    def test_names_the_problems_of_every_operation(self, operations):
        assert len(operations) == 39
        assert all({"401", "403", "429", "503"} <= operation["responses"].keys() for operation in operations)

    def test_shows_the_way_to_the_next_page(self, generated):
        schemas = generated["components"]["schemas"]

        pages = [schema for name, schema in schemas.items() if name.endswith("Page")]

        assert len(pages) == 11
        assert all(page["required"] == ["next", "previous", "results"] for page in pages)

    def test_never_returns_a_key(self, generated):
        schemas = generated["components"]["schemas"]

        holding = [name for name, schema in schemas.items() if "api_key" in schema.get("properties", {})]

        assert all(schemas[name]["properties"]["api_key"]["writeOnly"] for name in holding)
        assert holding

    def test_is_served_without_a_token(self, db):
        answer = Client().get("/api/schema/?format=json")

        assert answer.status_code == 200
        assert answer.json()["info"]["title"] == "Tallystick"


class TestEveryOperation:
    """What a linter would ask for; there is none in Python that is maintained."""

    def test_has_a_name_of_its_own_and_a_summary(self, operations):
        names = [operation["operationId"] for operation in operations]

        assert len(set(names)) == len(names)
        assert [operation["operationId"] for operation in operations if not operation.get("summary")] == []

    def test_stands_under_a_described_tag(self, generated, operations):
        described = {tag["name"] for tag in generated["tags"] if tag["description"]}

        assert {tag for operation in operations for tag in operation["tags"]} == described

    def test_says_what_each_parameter_is(self, operations):
        bare = [
            (operation["operationId"], parameter["name"])
            for operation in operations
            for parameter in operation.get("parameters", ())
            if "$ref" not in parameter and not parameter.get("description")
        ]

        assert bare == []

    def test_shows_what_it_takes_and_answers(self, operations):
        contents = [
            (operation["operationId"], kind, content)
            for operation in operations
            for part in (operation.get("requestBody", {}), *succeeded(operation))
            for kind, content in part.get("content", {}).items()
        ]

        assert len(contents) > len(operations)
        assert [
            name for name, kind, content in contents if "examples" not in content and kind != PARQUET
        ] == []

    def test_describes_each_success(self, operations):
        answers = [
            (operation["operationId"], answer) for operation in operations for answer in succeeded(operation)
        ]

        assert [name for name, answer in answers if not answer["description"]] == []

    def test_has_examples_that_are_of_its_schemas(self, generated):
        validator = jsonschema_rs.validator_for
        wrong = [
            (where, error.message)
            for where, schema, value in examples(generated)
            for error in validator(schema, validate_formats=True).iter_errors(value)
        ]

        assert wrong == []

    def test_shows_each_problem(self, generated):
        problems = {
            name: answer["content"]["application/problem+json"]["examples"]["Problem"]["value"]
            for name, answer in generated["components"]["responses"].items()
            if name.startswith("Problem")
        }

        assert {name: f"Problem{value['status']}" for name, value in problems.items()} == {
            name: name for name in problems
        }
        assert len(problems) == 13


PARQUET = "application/vnd.apache.parquet"


def succeeded(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [answer for status, answer in operation["responses"].items() if status.startswith("2")]


def examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example of the document with the schema that it is an example of."""
    places = [
        (operation["operationId"], part)
        for path in document["paths"].values()
        for operation in path.values()
        for part in (operation.get("requestBody", {}), *succeeded(operation))
    ]
    places += list(document["components"]["responses"].items())
    for where, part in places:
        for kind, content in part.get("content", {}).items():
            schema = {**content["schema"], "components": document["components"]}
            for example in content.get("examples", {}).values():
                if "json" in kind:
                    yield where, schema, example["value"]


class TestReader:
    def test_has_no_inline_script(self):
        answer = Client().get("/api/docs/")

        assert answer.content.count(b"<script src=") == answer.content.count(b"<script")
        policy = answer["Content-Security-Policy"].split("; ")
        assert "script-src 'self'" in policy
        assert Client().get("/api/docs/start.js")["Content-Type"].startswith("text/javascript")
