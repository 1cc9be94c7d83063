"""Swagger UI must render under our content policy without one complaint in the console."""

from __future__ import annotations

from playwright.sync_api import expect


class TestApiDocs:
    def test_render_every_operation(self, surf):
        page = surf().page

        page.goto("/api/docs/")

        expect(page.locator(".opblock")).to_have_count(18)

    def test_open_an_operation_with_its_example(self, surf):
        page = surf().page
        page.goto("/api/docs/")

        page.locator(".opblock-post").first.click()

        expect(page.get_by_text("Try it out").first).to_be_visible()
