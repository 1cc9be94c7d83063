"""Saving, sharing, arranging and pinning, with the mouse and by two people."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from accounts.models import Membership, Role, User
from dashboard.models import Dashboard, SavedView, Tile


class TestViews:
    def test_are_saved_shared_and_opened_by_another_person(self, surf, admin_user, account, filled):
        page = surf(admin_user).page
        page.goto("/explore/?range=7d")
        page.get_by_label("Group by").select_option("workspace_id")
        expect(page.get_by_role("heading", name="By workspace", exact=True)).to_be_visible()
        page.locator("summary", has_text="Save view").click()
        page.get_by_label("Name").fill("Teams this week")
        page.get_by_label("Share with everybody").check()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("everybody of the account sees it")).to_be_visible()
        expect(page.get_by_role("heading", name="Teams this week")).to_be_visible()
        total = page.locator(".figure-main data").get_attribute("value")

        victor = User.objects.create_user("victor@example.com", "correct horse battery")
        Membership.objects.create(account=account, user=victor, role=Role.VIEWER)
        other = surf(victor).page
        other.goto("/")
        other.get_by_role("link", name="Dashboards").click()
        other.get_by_role("link", name="Saved views").click()
        other.get_by_role("link", name="Teams this week").click()
        expect(other.get_by_role("heading", name="By workspace", exact=True)).to_be_visible()
        assert other.locator(".figure-main data").get_attribute("value") == total
        expect(other.get_by_text("Save changes")).to_be_hidden()

    def test_keep_what_was_changed(self, surf, admin_user, account, filled):
        view = SavedView.objects.create(account=account, owner=admin_user, name="Mine", query="range=7d")
        page = surf(admin_user).page
        page.goto(f"/views/{view.pk}/")
        page.get_by_label("Granularity").select_option("cumulative")
        page.get_by_role("button", name="Save changes").click()
        expect(page.get_by_text("shows this from now on")).to_be_visible()
        view.refresh_from_db()
        assert view.query == "range=7d&granularity=cumulative"


class TestDashboards:
    def test_are_made_arranged_and_pinned(self, surf, admin_user, account, filled):
        for name, query in (("First", "range=7d"), ("Second", "range=7d&group_by=cost_type")):
            SavedView.objects.create(account=account, owner=admin_user, name=name, query=query)
        page = surf(admin_user).page
        page.goto("/dashboards/")
        page.get_by_label("Name").fill("Board")
        page.get_by_role("button", name="Make dashboard").click()
        for name in ("First", "Second"):
            page.get_by_label("Saved view").select_option(label=f"{name} (only you see it)")
            page.get_by_role("button", name="Add").click()
            expect(page.get_by_role("heading", name=name)).to_be_visible()
        page.get_by_role("button", name="Move Second up").click()
        expect(page.get_by_role("heading", level=2).nth(1)).to_contain_text("Second")
        page.get_by_role("link", name="Done").click()
        expect(page.locator("[data-drawn=yes]")).to_have_count(2)
        page.get_by_role("button", name="Open it first").click()
        expect(page.get_by_text("opens first from now on")).to_be_visible()
        page.goto("/")
        expect(page).to_have_url(re.compile(r"/dashboards/[0-9a-f-]+/$"))
        page.get_by_role("link", name="Overview").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    def test_lead_to_their_views_without_scripts(self, surf, admin_user, account, filled):
        view = SavedView.objects.create(account=account, owner=admin_user, name="First", query="range=7d")
        board = Dashboard.objects.create(account=account, owner=admin_user, name="Board")
        Tile.objects.create(dashboard=board, view=view, position=1)
        page = surf(admin_user, java_script_enabled=False).page
        page.goto(f"/dashboards/{board.pk}/")
        page.get_by_role("link", name="Open it").click()
        expect(page.get_by_role("heading", name="Daily cost by model")).to_be_visible()
