"""Makes docs/images again, with simulated data: `python3 manage.py test tests/browser/screenshots.py`.

Every page in light, dark and on a phone; what a page looks like in a state that passes is made once, in light.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from dashboard.models import Dashboard, SavedView, Tile
from integrations.models import Connection
from workers import executor, lanes, lifecycle
from workers.clock import database_now
from workers.lifecycle import NewConnection

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
LOOKS = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
# What is further down says nothing about the looks of a page.
TALLEST = 1500
ALICE = "alice@example.com"


@pytest.fixture(autouse=True)
def one_report() -> None:
    """Here every report is read: pages as people see them."""


def shoot(surfer, path: str, name: str) -> None:
    surfer.page.goto(path)
    surfer.page.wait_for_load_state("networkidle")
    save(surfer, name)


def save(surfer, name: str) -> None:
    size = surfer.page.evaluate(
        "[document.documentElement.clientWidth, document.documentElement.scrollHeight]"
    )
    clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], TALLEST)}
    surfer.page.screenshot(path=IMAGES / f"{name}.png", full_page=True, clip=clip)


def connect(account, key: str, **options: str) -> Connection:
    return lifecycle.connect(account, NewConnection(key, **options), actor=ALICE)


def restate(simulator, run_due, connection: Connection, slug: str) -> None:
    """Let some settled days change upstream, and read them again."""
    today = database_now().date()
    for days_ago, factor in ((3, "1.04"), (5, "0.97"), (6, "1.01")):
        day = today - dt.timedelta(days=days_ago)
        simulator.world(slug, "restate_day", day=day.isoformat(), factor=factor)
    connection.refresh_from_db()
    lifecycle.force_sync(connection, None, actor=ALICE)
    run_due()


def keep(account, user) -> Dashboard:
    """Save some views and put them on a dashboard."""
    board = Dashboard.objects.create(account=account, owner=user, name="Platform team", is_shared=True)
    views = [
        ("Month to date", "range=mtd&group_by=none", "explore", "third", "figure"),
        ("Month to date, day by day", "range=mtd&granularity=cumulative", "explore", "two-thirds", "chart"),
        ("Workspaces", "group_by=workspace_id", "explore", "half", "chart"),
        ("Keys, 7 days", "range=7d&group_by=api_key_id", "explore", "half", "table"),
        ("Tokens", "range=30d", "usage", "half", "chart"),
        ("Price by model", "range=90d&metric=usd_per_million&granularity=week", "explore", "half", "chart"),
    ]
    for place, (name, query, page, width, shows) in enumerate(views):
        view = SavedView.objects.create(
            account=account, owner=user, name=name, query=query, page=page, is_shared=True
        )
        Tile.objects.create(dashboard=board, view=view, position=place, width=width, shows=shows)
    return board


def test_pages(surf, admin_user, account, run_due, simulator, key_of, settings):
    IMAGES.mkdir(parents=True, exist_ok=True)
    surfer = surf(admin_user, **LOOKS["light"])
    shoot(surfer, "/", "welcome")
    birch = connect(account, key_of("birch-logistics"), cost_center="Platform")
    connect(account, key_of("birch-logistics", "enterprise_key"), label="Anthropic – claude.ai")
    broken = connect(account, key_of("acorn-studio"), cost_center="Design")
    run_due(2000)
    restate(simulator, run_due, birch, "birch-logistics")
    board = keep(account, admin_user)
    pages = {
        "overview": "/overview/",
        "explorer": "/explore/?range=30d&group_by=workspace_id",
        "usage": "/usage/",
        "model": "/models/claude-opus-5/",
        "dashboard": f"/dashboards/{board.pk}/",
        "views": "/views/",
        "exports": "/exports/",
        "connection": f"/connections/{birch.pk}/",
        "settings": "/settings/",
    }
    looks = {name: surf(admin_user, **options) for name, options in LOOKS.items()}
    for name, path in pages.items():
        for look, each in looks.items():
            shoot(each, path, f"{name}-{look}")
    surfer.page.goto("/explore/?range=7d")
    surfer.page.locator(".why > summary").click()
    save(surfer, "why")

    # One connection that needs somebody, and one in the middle of its backfill at Anthropic's real pace.
    simulator.fault("revoked", organisation="acorn-studio", times=-1)
    lifecycle.force_sync(broken, None, actor=ALICE)
    run_due()
    settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 10
    connect(account, key_of("cedar-group"))
    for _ in range(3):
        for lane_id in lanes.wake_due():
            executor.process_lane(lane_id)
    for look, each in looks.items():
        shoot(each, "/connections/", f"connections-{look}")

    surfer.page.goto("/connections/add/")
    surfer.page.get_by_label("API key").fill(key_of("dormant-labs"))
    surfer.page.get_by_role("button", name="Test connection").click()
    surfer.page.get_by_text("Connected to").wait_for()
    save(surfer, "add")
