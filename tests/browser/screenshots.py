"""Makes docs/images again, with simulated data: `python3 manage.py test tests/browser/screenshots.py`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from integrations.models import Connection
from workers import lanes, lifecycle, turn
from workers.clock import database_now
from workers.lifecycle import NewConnection

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
ALICE = "alice@example.com"


def shoot(surfer, path: str, name: str) -> None:
    surfer.page.goto(path)
    surfer.page.wait_for_load_state("networkidle")
    surfer.page.screenshot(path=IMAGES / f"{name}.png", full_page=True)


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


def test_pages(surf, admin_user, account, run_due, simulator, key_of, settings):
    IMAGES.mkdir(parents=True, exist_ok=True)
    surfer = surf(admin_user, viewport=WIDE, color_scheme="light")
    shoot(surfer, "/", "welcome")
    birch = connect(account, key_of("birch-logistics"), cost_center="Platform")
    broken = connect(account, key_of("acorn-studio"), cost_center="Design")
    run_due()
    restate(simulator, run_due, birch, "birch-logistics")
    shoot(surfer, "/", "overview-light")
    shoot(surf(admin_user, viewport=WIDE, color_scheme="dark"), "/", "overview-dark")
    shoot(surf(admin_user, viewport=NARROW, color_scheme="light"), "/", "overview-narrow")
    shoot(surfer, f"/connections/{birch.pk}/", "connection")

    # One connection that needs somebody, and one in the middle of its backfill at Anthropic's real pace.
    simulator.fault("revoked", organisation="acorn-studio", times=-1)
    lifecycle.force_sync(broken, None, actor=ALICE)
    run_due()
    settings.ANTHROPIC_REQUESTS_PER_MINUTE, settings.ANTHROPIC_BURST = 1, 10
    connect(account, key_of("cedar-group"))
    for _ in range(3):
        for lane_id in lanes.wake_due():
            turn.run_turn(lane_id)
    shoot(surfer, "/connections/", "connections")
    shoot(surf(admin_user, viewport=NARROW, color_scheme="dark"), "/connections/", "connections-narrow")

    surfer.page.goto("/connections/add/")
    surfer.page.get_by_label("API key").fill(key_of("dormant-labs"))
    surfer.page.get_by_role("button", name="Test connection").click()
    surfer.page.get_by_text("Connected to").wait_for()
    surfer.page.screenshot(path=IMAGES / "add.png", full_page=True)
