"""Makes docs/images again, with simulated data: `python3 manage.py test tests/browser/screenshots.py`."""

from __future__ import annotations

from pathlib import Path

from integrations.models import Connection, Status
from workers import lifecycle
from workers.lifecycle import NewConnection

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def shoot(surfer, path: str, name: str) -> None:
    surfer.page.goto(path)
    surfer.page.wait_for_load_state("networkidle")
    surfer.page.screenshot(path=IMAGES / f"{name}.png", full_page=True)


def test_pages(surf, admin_user, account, run_due, simulator, key_of):
    IMAGES.mkdir(parents=True, exist_ok=True)
    surfer = surf(admin_user, viewport=WIDE, color_scheme="light")
    shoot(surfer, "/", "welcome")
    for slug, cost_center in (("birch-logistics", "Platform"), ("acorn-studio", "Design"), ("cedar-group", "")):
        lifecycle.connect(account, NewConnection(key_of(slug), cost_center=cost_center), actor="alice@example.com")
    run_due()
    # One that needs somebody, and one in the middle of its backfill.
    broken, moving, _ = Connection.objects.order_by("organization_name")
    simulator.revoke_key("acorn-studio") if hasattr(simulator, "revoke_key") else None

    shoot(surfer, "/", "overview-light")
    shoot(surf(admin_user, viewport=WIDE, color_scheme="dark"), "/", "overview-dark")
    shoot(surf(admin_user, viewport=NARROW, color_scheme="light"), "/", "overview-narrow")
    shoot(surfer, "/connections/", "connections")
    shoot(surfer, "/connections/add/", "add")
    shoot(surfer, f"/connections/{moving.pk}/", "connection")
