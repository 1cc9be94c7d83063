"""What people do with saved views and dashboards: see, save, arrange, share, pin. Writes; decides who sees what.

What is shared is seen by everybody of the account and changed by its editors; what is not is there for its owner
alone, whatever role others have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Manager, Q, QuerySet

from accounts import audit
from accounts.models import Account, User
from accounts.permissions import Principal
from dashboard.models import Dashboard, Home, Kept, SavedView, Tile

# A page of tiles that can still be read, and lists that can still be searched by eye.
MOST_TILES, MOST_KEPT = 24, 500
_KINDS = {SavedView: "view", Dashboard: "dashboard"}
K = TypeVar("K", SavedView, Dashboard)


class GoneError(Exception):
    """Somebody has deleted it since it was looked at."""

    def __init__(self, kept: Kept | Tile) -> None:
        super().__init__(f"This {kept._meta.verbose_name} was deleted meanwhile.")


class TooManyError(Exception):
    """There is no room for another one; the message says of what and what to do."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who keeps something: a signed-in person acting in one account."""

    principal: Principal
    user: User

    @property
    def account(self) -> Account:
        """The account acted in."""
        return self.principal.account


@dataclass(frozen=True, slots=True)
class NewView:
    """A state of a page and the name to keep it under."""

    name: str
    query: str
    page: str = SavedView.Page.EXPLORE
    is_shared: bool = False


def list_kept(person: Person, model: type[K]) -> QuerySet[K]:
    """Return what the person sees: what is shared, and their own; by name."""
    rows = person.principal.rows(model)
    return (
        rows.filter(Q(is_shared=True) | Q(owner=person.user)).select_related("owner").order_by("name", "pk")
    )


def find(person: Person, model: type[K], key: UUID) -> K | None:
    """Return one that the person sees; another account's and another person's own do not exist."""
    return list_kept(person, model).filter(pk=key).first()


def save_view(person: Person, new: NewView) -> SavedView:
    """
    Keep a state under a name.

    Raises:  TooManyError
    """
    view = SavedView(
        account=person.account, owner=person.user, name=new.name, is_shared=new.is_shared,
        page=new.page, query=new.query,
    )  # fmt: skip
    with transaction.atomic():
        _require_room(person, SavedView)
        view.save(force_insert=True)
        _record(person, view, "saved")
    return view


def replace_state(person: Person, view: SavedView, query: str) -> None:
    """Keep another state under the same name; dashboards that show the view follow."""
    with transaction.atomic():
        _hold(view)
        view.query = query
        view.save(update_fields=["query", "updated_at"])
        _record(person, view, "edited")


def make_dashboard(person: Person, name: str, *, is_shared: bool) -> Dashboard:
    """
    Make an empty dashboard.

    Raises:  TooManyError
    """
    dashboard = Dashboard(account=person.account, owner=person.user, name=name, is_shared=is_shared)
    with transaction.atomic():
        _require_room(person, Dashboard)
        dashboard.save(force_insert=True)
        _record(person, dashboard, "saved")
    return dashboard


def edit(person: Person, kept: SavedView | Dashboard, *, name: str, is_shared: bool) -> None:
    """Rename, share or stop sharing."""
    with transaction.atomic():
        _hold(kept)
        kept.name, kept.is_shared = name, is_shared
        kept.save(update_fields=["name", "is_shared", "updated_at"])
        _record(person, kept, "edited")


def delete(person: Person, kept: SavedView | Dashboard) -> None:
    """Remove it for everybody: a view leaves the dashboards that show it, and nobody's home is it any more."""
    with transaction.atomic():
        _hold(kept)
        _record(person, kept, "deleted")
        kept.delete()


def tiles(person: Person, dashboard: Dashboard) -> QuerySet[Tile]:
    """Return the tiles whose view the person sees, in their order: one's own view on a shared page is not shared by that."""
    seen = Q(view__is_shared=True) | Q(view__owner=person.user)
    return dashboard.tiles.filter(seen).select_related("view").order_by("position", "pk")


def add_tile(person: Person, dashboard: Dashboard, view: SavedView) -> Tile:
    """
    Put a view at the end of a dashboard.

    Raises:  TooManyError
    """
    with transaction.atomic():
        # Two editors at once must not get the same place, nor one place too many.
        _hold(dashboard)
        places = list(dashboard.tiles.values_list("position", flat=True))
        if len(places) >= MOST_TILES:
            raise TooManyError(f"A dashboard has room for {MOST_TILES} tiles. Remove one first.")
        tile = Tile.objects.create(dashboard=dashboard, view=view, position=max(places, default=0) + 1)
        _record(person, dashboard, "edited")
    return tile


def change_tile(person: Person, tile: Tile, *, width: str, shows: str) -> None:
    """Change how wide a tile is and what it shows."""
    with transaction.atomic():
        _hold(tile)
        tile.width, tile.shows = width, shows
        tile.save(update_fields=["width", "shows"])
        _record(person, tile.dashboard, "edited")


def remove_tile(person: Person, tile: Tile) -> None:
    """Take a tile off its dashboard; the view stays."""
    with transaction.atomic():
        _hold(tile)
        tile.delete()
        _record(person, tile.dashboard, "edited")


def move_tile(person: Person, tile: Tile, steps: int) -> None:
    """Move a tile some places further, or back; at either end it stays."""
    with transaction.atomic():
        _hold(tile.dashboard)
        order = list(tiles(person, tile.dashboard))
        at = next((place for place, each in enumerate(order) if each.pk == tile.pk), None)
        if at is None:
            return
        moved = order.pop(at)
        order.insert(max(0, min(len(order), at + steps)), moved)
        _number(order)
        _record(person, tile.dashboard, "edited")


def _number(order: Sequence[Tile]) -> None:
    for place, tile in enumerate(order, start=1):
        tile.position = place
    Tile.objects.bulk_update(order, ["position"])


def home_of(person: Person) -> SavedView | Dashboard | None:
    """Return what the person opens first, as far as they still see it; None is the Overview."""
    home = Home.objects.filter(account=person.account, user=person.user).first()
    if home is None:
        return None
    if home.dashboard_id:
        return find(person, Dashboard, home.dashboard_id)
    return find(person, SavedView, home.view_id) if home.view_id else None


def pin(person: Person, kept: SavedView | Dashboard | None) -> None:
    """Open this first from now on; None opens the Overview again. A person's own choice, whatever their role."""
    if kept is None:
        Home.objects.filter(account=person.account, user=person.user).delete()
        return
    chosen = (
        {"view": kept, "dashboard": None}
        if isinstance(kept, SavedView)
        else {"view": None, "dashboard": kept}
    )
    Home.objects.update_or_create(account=person.account, user=person.user, defaults=chosen)


def _hold(kept: Kept | Tile) -> None:
    """
    Lock the row for the rest of the transaction: of two who change or delete it the second comes after the first.

    Raises:  GoneError
    """
    rows: Manager[Any] = type(kept)._default_manager  # noqa: SLF001 - the public way to a model's rows
    if rows.select_for_update().filter(pk=kept.pk).first() is None:
        raise GoneError(kept)


def _require_room(person: Person, model: type[K]) -> None:
    # Two who keep the last one at once come one after the other.
    Account.objects.select_for_update(no_key=True).get(pk=person.account.pk)
    if person.principal.rows(model).count() >= MOST_KEPT:
        raise TooManyError(f"An account keeps at most {MOST_KEPT} of these. Delete some that nobody uses.")


def _record(person: Person, kept: Kept, deed: str) -> None:
    kind = _KINDS[type(kept)]
    audit.record(person.account, person.principal.name, f"{kind}.{deed}", kept.name, target_id=kept.pk)
