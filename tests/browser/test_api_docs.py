"""Swagger UI must render under our content policy without one complaint in the console."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

OPENAPI = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


class TestApiDocs:
    def test_render_every_operation(self, surf):
        page = surf().page

        page.goto("/api/docs/")

        # The committed document is what the code publishes; `.ci/run openapi` sees to that.
        operations = re.findall(
            r"^    operationId:|^      operationId:", OPENAPI.read_text(encoding="utf-8"), re.MULTILINE
        )
        expect(page.locator(".opblock")).to_have_count(len(operations))

    def test_open_an_operation_with_its_example(self, surf):
        page = surf().page
        page.goto("/api/docs/")

        page.locator(".opblock-post").first.click()

        expect(page.get_by_text("Try it out").first).to_be_visible()
