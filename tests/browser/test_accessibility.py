"""axe-core finds nothing serious or critical on any page, in light and dark, on a phone, a tablet and a desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accounts.models import Plan
from costs.models import CostFact, ResourceName
from costs.texts import MOST_CHARACTERS
from dashboard.models import Dashboard, SavedView, Tile
from workers import lifecycle
from workers.lifecycle import NewConnection

EXPLORER = (
    "/explore/",
    "/explore/?range=7d&metric=usd_per_million",
    "/explore/?range=7d&as_of=2026-01-05",
    "/explore/movers/?range=7d",
    "/usage/?range=7d",
    "/usage/?range=7d&group_by=cost_type",
    "/usage/caching/?range=7d",
    "/exports/",
    "/workspaces/null/",
    "/explore/?range=7d&group_by=workspace_id&then_by=model&granularity=cumulative&model=null",
    "/explore/?range=nonsense",
    "/explore/filters/model/",
)
AXE = (Path(__file__).parent / "vendor" / "axe" / "axe.min.js").read_text(encoding="utf-8")
WIDTHS = (390, 768, 1440)
RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


def grave(page: Any) -> list[str]:
    """List what axe calls serious or critical, with the elements it means."""
    # Through the debugger, which the page's policy does not concern: a script element would be refused.
    page.evaluate(AXE)
    return [
        f"{found['id']} ({found['impact']}): {[node['html'][:160] for node in found['nodes']]}"
        for found in page.evaluate(RUN)
        if found["impact"] in {"serious", "critical"}
    ]


def overflow(page: Any) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def problems(surfer: Any, paths: list[str]) -> list[str]:
    found = []
    for path in paths:
        surfer.page.goto(path)
        surfer.page.wait_for_load_state("networkidle")  # tiles come by themselves
        for width in WIDTHS:
            surfer.page.set_viewport_size({"width": width, "height": 900})
            for menu in surfer.page.locator("details > summary").all():
                menu.evaluate("element => { element.parentElement.open = true }")
            found += [f"{path} at {width}: {one}" for one in grave(surfer.page)]
            if overflow(surfer.page) > 0:
                found.append(f"{path} at {width}: wider than the screen")
    return found


@pytest.fixture(autouse=True)
def one_report() -> None:
    """Here every report is read: pages with something on them."""


@pytest.fixture
def busy(account, key_of, run_due, simulator):
    """An account with everything to show: settled, broken and running connections."""
    account.plan = Plan.FREE
    account.save()
    settled = lifecycle.connect(
        account, NewConnection(key_of("birch-logistics"), cost_center="Platform"), actor="a"
    )
    broken = lifecycle.connect(account, NewConnection(key_of("acorn-studio")), actor="a")
    run_due()
    broken.refresh_from_db()
    simulator.fault("revoked", organisation="acorn-studio", times=-1)
    lifecycle.force_sync(broken, None, actor="a")
    run_due()
    lifecycle.connect(account, NewConnection(key_of("dormant-labs")), actor="a")
    return settled, broken


class TestAxe:
    def test_would_notice(self, surf, db):
        page = surf().page
        page.goto("/accounts/login/")
        page.evaluate("document.body.append(document.createElement('button'))")

        assert "button-name" in str(grave(page))


@pytest.mark.parametrize("scheme", ["light", "dark"])
class TestPages:
    def test_of_visitors(self, surf, db, scheme):
        surfer = surf(color_scheme=scheme)

        assert problems(surfer, ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/"]) == []

    def test_of_an_empty_account(self, surf, admin_user, scheme):
        surfer = surf(admin_user, color_scheme=scheme)

        assert (
            problems(surfer, ["/", "/connections/", "/connections/add/", "/accounts/password/change/"]) == []
        )

    def test_of_names_as_long_as_they_may_be(self, surf, admin_user, busy, scheme):
        """Upstream chooses them; without a blank there is nowhere to break."""
        CostFact.objects.update(model="m" * MOST_CHARACTERS, description="d" * MOST_CHARACTERS)
        ResourceName.objects.update(name="n" * MOST_CHARACTERS)
        by_model, by_workspace = (
            f"/explore/?range=30d&group_by={name}" for name in ("model", "workspace_id")
        )
        surfer = surf(admin_user, color_scheme=scheme)

        assert problems(surfer, ["/", by_model, f"{by_workspace}&then_by=model", "/usage/"]) == []

    def test_of_a_busy_account(self, surf, admin_user, account, busy, scheme):
        surfer = surf(admin_user, color_scheme=scheme)
        settled, broken = (f"/connections/{connection.pk}/" for connection in busy)

        view = SavedView.objects.create(
            account=account, owner=admin_user, name="Mine", query="range=7d&group_by=workspace_id"
        )
        board = Dashboard.objects.create(account=account, owner=admin_user, name="Board")
        for place, shows in enumerate(Tile.Shows.values):
            Tile.objects.create(dashboard=board, view=view, position=place, shows=shows)
        kept = ["/views/", f"/views/{view.pk}/", f"/views/{view.pk}/edit/", "/dashboards/"]
        kept += [f"/dashboards/{board.pk}/{page}" for page in ("", "arrange/", "edit/")]
        paths = [
            *kept,
            "/",
            "/?range=12m",
            "/settings/cost-centers/",
            "/connections/",
            settled,
            broken,
            *EXPLORER,
        ]
        paths += [f"{settled}{page}/" for page in ("edit", "rotate-key", "disconnect")]
        assert problems(surfer, paths) == []
