"""What people do, in a real Chromium, with the engine and the simulated Anthropic behind it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from integrations.models import Connection
from workers import lifecycle

WIDE = {"width": 1440, "height": 900}


def has_colours(page: Page) -> Callable[[], bool]:
    """Say whether the chart's canvas shows more than its ground."""
    script = """() => {
        const canvas = document.querySelector("[data-chart] canvas");
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
        expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "yes")
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

    def test_menu_of_a_connection_stays_inside_a_phone(self, surf, admin_user, filled):
        page = surf(admin_user, viewport={"width": 390, "height": 844}).page
        page.goto(f"/connections/{filled.pk}/")
        page.locator("summary", has_text="Manage").click()
        box = page.locator(".menu[open] .menu-body").bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390

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
        expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")

    def test_the_theme_is_remembered_and_redraws_the_chart(self, surf, admin_user, filled):
        page = surf(admin_user, color_scheme="light").page
        page.goto("/")
        pixels = "() => document.querySelector('[data-chart] canvas').toDataURL()"
        light = page.evaluate(pixels)
        page.get_by_role("button", name="Theme").click()  # light, as it was
        page.get_by_role("button", name="Theme").click()  # dark
        assert page.evaluate(pixels) != light
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"

    def test_a_series_can_be_shown_alone_by_keyboard(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto("/")
        button = page.locator(".legend button").first
        button.focus()
        page.keyboard.press("Space")
        expect(button).to_have_attribute("aria-pressed", "true")

    def test_the_tooltip_is_drawn_without_inline_styles(self, surf, admin_user, filled):
        page = surf(admin_user, viewport=WIDE).page
        page.goto("/")
        pixels = "() => document.querySelector('[data-chart] canvas').toDataURL()"
        before = page.evaluate(pixels)
        page.locator("[data-chart]").hover()
        page.wait_for_function(f"before => ({pixels})() !== before", arg=before)


class TestWithoutScripts:
    def test_reads_and_submits(self, surf, admin_user, filled):
        page = surf(admin_user, java_script_enabled=False).page
        page.goto("/")
        expect(page.get_by_role("table").first).to_be_visible()
        page.get_by_text("The chart as a table").click()
        expect(page.get_by_role("cell").first).to_be_visible()
        expect(page.locator("[data-chart]")).to_be_hidden()
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


class TestExplorer:
    def test_finds_the_biggest_mover_and_exports_it(self, surf, admin_user, filled):
        page = surf(admin_user, viewport=WIDE).page
        page.goto("/")
        page.get_by_role("link", name="Explorer", exact=True).click()
        page.get_by_label("Range").select_option("7d")
        expect(page).to_have_url(re.compile(r"/explore/\?range=7d$"))
        mover = page.locator(".mover-list a").first
        name = mover.inner_text()
        mover.click()
        expect(page.get_by_text(f"Model: {name}", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name="By workspace", exact=True)).to_be_visible()
        page.locator("summary", has_text="Export").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Table as CSV").click()
        written = download.value.path().read_text(encoding="utf-8-sig").splitlines()
        total = page.locator("tfoot .n data").first.get_attribute("value")
        assert written[0].startswith("Workspace,Cost (USD)")
        assert written[-1].startswith(f"Total,{total},")

    def test_changes_without_losing_the_place_of_the_keyboard(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto("/explore/?range=7d")
        page.get_by_label("Group by").focus()
        page.get_by_label("Group by").select_option("workspace_id")
        expect(page.get_by_role("heading", name="By workspace", exact=True)).to_be_visible()
        expect(page.get_by_label("Group by")).to_be_focused()
        expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "yes")
        assert has_colours(page)()

    def test_filters_by_values_and_takes_them_away_again(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto("/explore/?range=7d")
        before = page.locator(".figure-main data").get_attribute("value")
        page.get_by_text("+ Add filter").click()
        page.locator("#filter-menu").get_by_role("link", name="Workspace").click()
        page.get_by_label("Search team").check()
        page.get_by_role("button", name="Show only these").click()
        expect(page.get_by_text("Workspace: Search team", exact=True)).to_be_visible()
        assert page.locator(".figure-main data").get_attribute("value") != before
        page.get_by_role("link", name="Remove the filter Workspace: Search team").click()
        expect(page.locator(".figure-main data")).to_have_attribute("value", before)

    def test_shows_days_only_for_a_custom_range(self, surf, admin_user, filled):
        page = surf(admin_user).page
        page.goto("/explore/?range=7d")
        expect(page.get_by_label("From")).to_be_hidden()
        page.get_by_label("Range").select_option("custom")
        expect(page.get_by_label("From")).to_be_visible()
        day = page.get_by_label("To, inclusive").input_value()
        page.get_by_label("From").fill(day)
        expect(page.get_by_text("over 1 day", exact=True)).to_be_visible()

    def test_a_bar_opens_its_day(self, surf, admin_user, filled):
        page = surf(admin_user, viewport=WIDE).page
        page.goto("/explore/?range=7d")
        box = page.locator("[data-chart]").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=4)
        expect(page).to_have_url(re.compile(f"from={day}&to={day + dt.timedelta(days=1)}$"))

    def test_works_without_scripts(self, surf, admin_user, filled):
        page = surf(admin_user, java_script_enabled=False).page
        page.goto("/explore/")
        page.get_by_label("Range").select_option("7d")
        page.get_by_label("Granularity").select_option("week")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("heading", name="Weekly cost by model")).to_be_visible()
        page.get_by_text("+ Add filter").click()
        page.get_by_role("link", name="Workspace").click()
        page.get_by_label("Search team").check()
        page.get_by_role("button", name="Show only these").click()
        expect(page.get_by_text("Workspace: Search team", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name="Weekly cost by model")).to_be_visible()

    def test_says_so_when_the_server_does_not_answer(self, surf, admin_user, filled):
        surfer = surf(admin_user)
        page = surfer.page
        page.goto("/explore/")
        page.route("**/explore/?*", lambda route: route.abort())
        page.get_by_label("Range").select_option("7d")

        expect(page.get_by_text("The server did not answer")).to_be_visible()
        expect(page.get_by_role("table").first).to_be_visible()
        surfer.complaints.clear()


class TestPrint:
    def test_is_a_statement_without_controls(self, surf, admin_user, filled):
        page = surf(admin_user, color_scheme="dark").page
        page.goto("/explore/?range=7d&group_by=workspace_id")
        page.emulate_media(media="print")
        expect(page.locator(".statement")).to_contain_text(admin_user.memberships.get().account.name)
        expect(page.get_by_role("navigation", name="Sections")).to_be_hidden()
        expect(page.get_by_label("Group by")).to_be_hidden()
        expect(page.get_by_role("heading", name="By workspace", exact=True)).to_be_visible()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.get_by_text("every day of the range is stored")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        expect(page.get_by_text("every day of the range is stored")).to_be_hidden()


class TestTimes:
    def test_tell_the_viewers_own_on_hover(self, surf, admin_user, filled):
        page = surf(admin_user, timezone_id="Asia/Tokyo", locale="en-GB").page
        page.goto("/connections/")
        time = page.locator(".card time").first
        time.hover()
        expect(time).to_have_attribute("title", re.compile(r"Your time: .*(JST|GMT\+9)"))


class TestTrouble:
    def test_reads_the_remedy_and_mends_a_broken_connection(
        self, surf, admin_user, filled, simulator, key_of, run_due
    ):
        simulator.fault("revoked", organisation="birch-logistics", times=-1)
        lifecycle.force_sync(filled, None, actor="alice@example.com")
        run_due()
        page = surf(admin_user).page
        page.goto("/")
        expect(page.get_by_text("1 connection does not deliver")).to_be_visible()
        page.get_by_role("link", name="1 connection needs you").click()
        expect(page.get_by_text("Create another key at Anthropic and use it here.")).to_be_visible()
        page.get_by_role("link", name="Rotate the key").click()
        simulator.clear_faults()
        page.get_by_label("New API key").fill(key_of("birch-logistics"))
        page.get_by_role("button", name="Test and replace").click()
        expect(page.get_by_text("The key was replaced.")).to_be_visible()
        run_due()
        page.goto("/")
        expect(page.get_by_text("does not deliver")).to_be_hidden()
