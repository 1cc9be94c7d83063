"""What people do, in a real Chromium, with the engine and the simulated Anthropic behind it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Plan
from integrations.models import Connection
from workers import lifecycle
from workers.lifecycle import NewConnection

WIDE = {"width": 1440, "height": 900}


@pytest.fixture
def filled(account, key_of, run_due) -> Connection:
    account.plan = Plan.FREE
    account.save()
    connection = lifecycle.connect(
        account, NewConnection(key_of("birch-logistics")), actor="alice@example.com"
    )
    run_due()
    connection.refresh_from_db()
    return connection


def has_colours(page: Page) -> Callable[[], bool]:
    """Say whether the chart's canvas shows more than its ground."""
    script = """() => {
        const canvas = document.querySelector("#chart canvas");
        if (!canvas) return false;
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4 * 97) seen.add(data.slice(at, at + 3).join());
        return seen.size > 4;
    }"""
    return lambda: bool(page.evaluate(script))


class TestFirstRun:
    def test_leads_from_sign_in_to_the_first_chart(self, surf, admin_user, key_of, run_due):
        page = surf(viewport=WIDE).page
        page.goto("/")
        page.get_by_label("Email").fill(admin_user.email)
        page.get_by_label("Password").fill("correct horse battery")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Add connection").click()
        page.get_by_label("API key").fill(key_of("birch-logistics"))
        page.get_by_role("button", name="Test connection").click()
        expect(page.get_by_text("Connected to Birch Logistics")).to_be_visible()
        # Nobody has to paste twice after a green test.
        expect(page.get_by_label("API key")).to_have_value(key_of("birch-logistics"))
        page.get_by_role("button", name="Add connection").click()
        expect(page.get_by_text("0 of 366 days")).to_be_visible()

        run_due()

        # The page finds out by itself.
        expect(page.get_by_role("heading", name="Daily cost by model")).to_be_visible()
        expect(page.locator("#chart")).to_have_attribute("data-drawn", "yes")
        assert has_colours(page)()
        expect(page.get_by_text("Data to")).to_be_visible()


class TestAdd:
    def test_a_bad_key_reads_its_cause_and_stays_in_the_field(self, surf, admin_user, key_of):
        page = surf(admin_user).page
        page.goto("/connections/add/")
        key = key_of("acorn-studio", "inference_key")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Add connection").click()

        expect(page.get_by_text("it cannot read cost reports")).to_be_visible()
        expect(page.get_by_text("Create an Admin key in the Claude Console")).to_be_visible()
        expect(page.get_by_label("API key")).to_have_value(key)
        assert key not in page.content()


class TestCards:
    def test_force_sync_shows_its_way_to_the_end(self, surf, admin_user, filled, run_due):
        page = surf(admin_user).page
        page.goto("/connections/")
        page.get_by_role("button", name="Force sync").click()
        expect(page.get_by_text("Sync queued.")).to_be_visible()
        expect(page.get_by_text("Under way")).to_be_visible()

        run_due()

        expect(page.get_by_text("Under way")).to_be_hidden()
        expect(page.get_by_text("Synced:")).to_be_visible()
        expect(page.get_by_text("Sync queued.")).to_be_hidden()

    def test_menu_opens_by_keyboard_and_closes_by_escape(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto("/connections/")
        summary = page.locator("article summary")
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Rotate key")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Rotate key")).to_be_hidden()
        expect(summary).to_be_focused()

    def test_disconnecting_says_what_it_means(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto(f"/connections/{filled.pk}/disconnect/")
        page.get_by_label("Erase it.").check()
        page.get_by_role("button", name="Disconnect").click()
        expect(page.get_by_text("type the label exactly")).to_be_visible()
        page.get_by_label("To erase, type").fill(filled.label)
        page.get_by_role("button", name="Disconnect").click()
        expect(page.get_by_text("its history erased")).to_be_visible()
        assert not Connection.objects.exists()

    def test_says_so_when_the_server_does_not_answer(self, surf, admin_user, filled):
        surfer = surf(admin_user)
        page = surfer.page
        page.goto("/connections/")
        page.route("**/test/", lambda route: route.abort())
        page.get_by_role("button", name="Test connection").click()

        expect(page.get_by_text("The server did not answer")).to_be_visible()
        # The browser reports the failed request, as it should.
        surfer.complaints.clear()


class TestOverview:
    def test_the_address_is_the_state(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto("/")
        page.get_by_role("link", name="90 days").click()
        expect(page).to_have_url(re.compile(r"range=90d$"))
        expect(page.get_by_text("over 90 days")).to_be_visible()

    def test_the_theme_is_remembered_and_redraws_the_chart(self, surf, admin_user, filled):
        page = surf(admin_user, color_scheme="light").page
        page.goto("/")
        pixels = "() => document.querySelector('#chart canvas').toDataURL()"
        light = page.evaluate(pixels)
        page.get_by_role("button", name="Theme").click()  # light, as it was
        page.get_by_role("button", name="Theme").click()  # dark
        assert page.evaluate(pixels) != light
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"

    def test_a_series_can_be_left_out_by_keyboard(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto("/")
        button = page.locator("#legend button").first
        button.focus()
        page.keyboard.press("Space")
        expect(button).to_have_attribute("aria-pressed", "false")

    def test_the_tooltip_is_drawn_without_inline_styles(self, surf, admin_user, filled):
        page = surf(admin_user, viewport=WIDE).page
        page.goto("/")
        pixels = "() => document.querySelector('#chart canvas').toDataURL()"
        before = page.evaluate(pixels)
        page.locator("#chart").hover()
        page.wait_for_function(f"before => ({pixels})() !== before", arg=before)


class TestWithoutScripts:
    def test_reads_and_submits(self, surf, admin_user, filled):
        page = surf(admin_user, java_script_enabled=False).page
        page.goto("/")
        expect(page.get_by_role("table").first).to_be_visible()
        page.get_by_text("The chart as a table").click()
        expect(page.get_by_role("cell").first).to_be_visible()
        expect(page.locator("#chart")).to_be_hidden()
        page.goto("/connections/")
        page.get_by_role("button", name="Test connection").click()
        expect(page.get_by_text("Connected to Birch Logistics")).to_be_visible()
        page.get_by_role("button", name="Force sync").click()
        expect(page.get_by_text("Sync queued.")).to_be_visible()
        page.locator("article summary").click()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("Nothing is fetched until you resume it")).to_be_visible()

    def test_adds(self, surf, admin_user, key_of):
        page = surf(admin_user, java_script_enabled=False).page
        page.goto("/connections/add/")
        page.get_by_label("API key").fill(key_of("acorn-studio"))
        page.get_by_role("button", name="Test connection").click()
        expect(page.get_by_text("paste it again")).to_be_visible()
        expect(page.get_by_label("API key")).to_have_value("")
        page.get_by_label("API key").fill(key_of("acorn-studio"))
        page.get_by_role("button", name="Add connection").click()
        expect(page.get_by_role("heading", name="Watch the history arrive")).to_be_visible()
