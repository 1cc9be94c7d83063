from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.models import Account, AuditEvent, Role, User
from accounts.permissions import Principal
from costs import selectors, usage
from costs.selectors import CostQuery
from dashboard import figures, ranges, saved_views
from dashboard.models import Dashboard, Home, SavedView, Tile
from foundation.periods import DayRange
from tests.dashboard.conftest import figures_in, member, today
from tests.others import at_once

STATE = "range=7d&group_by=workspace_id"


@pytest.fixture
def colleague(account: Account) -> User:
    return member(account, "emil@example.com", Role.EDITOR)


@pytest.fixture
def own(account, editor) -> SavedView:
    return SavedView.objects.create(account=account, owner=editor, name="Mine", query=STATE)


@pytest.fixture
def shared(account, editor) -> SavedView:
    return SavedView.objects.create(account=account, owner=editor, name="Ours", query=STATE, is_shared=True)


@pytest.fixture
def board(account, editor, shared, own) -> Dashboard:
    made = Dashboard.objects.create(account=account, owner=editor, name="Board", is_shared=True)
    Tile.objects.create(dashboard=made, view=shared, position=1)
    Tile.objects.create(dashboard=made, view=own, position=2)
    return made


class TestSaving:
    def test_keeps_the_state_under_a_name(self, editor, visit):
        client = visit(editor)
        form = {"name": "Weekly", "query": f"{STATE}&view=0&colour=red", "is_shared": "on"}

        answer = client.post("/views/save/", form)

        view = SavedView.objects.get()
        assert (view.name, view.query, view.is_shared, view.owner) == ("Weekly", STATE, True, editor)
        assert parse_qs(urlsplit(answer.headers["Location"]).query)["view"] == [str(view.pk)]
        assert AuditEvent.objects.filter(action="view.saved", target="Weekly").exists()

    @pytest.mark.parametrize("name", ["", "x" * 121])
    def test_says_what_a_name_has_to_be(self, editor, visit, filled, name):
        answer = visit(editor).post("/views/save/", {"name": name, "query": STATE}, follow=True)

        assert "name" in answer.text
        assert answer.redirect_chain == [(f"/explore/?{STATE}", 302)]
        assert not SavedView.objects.exists()

    def test_is_limited(self, editor, visit, monkeypatch, own):
        monkeypatch.setattr(saved_views, "MOST_KEPT", 1)

        answer = visit(editor).post("/views/save/", {"name": "One more", "query": STATE}, follow=True)

        assert "at most 1" in answer.text
        assert SavedView.objects.count() == 1


class TestOpening:
    def test_shows_the_saved_state_with_its_name(self, viewer, visit, filled, shared):
        answer = visit(viewer).get(f"/views/{shared.pk}/", follow=True)

        days = ranges.period("7d", today()).days
        exact = selectors.total(CostQuery(filled.account_id, days))
        assert Decimal(figures_in(answer.text)[0]) == exact
        assert "<h1>Ours</h1>" in answer.text
        assert "By workspace" in answer.text

    def test_keeps_the_days_of_a_view_from_before_the_end_was_exclusive(self, editor, visit, filled, shared):
        first, last = today() - dt.timedelta(days=9), today() - dt.timedelta(days=4)
        shared.query = f"range=custom&from={first}&to={last}"
        shared.save()

        answer = visit(editor).get(f"/views/{shared.pk}/", follow=True)

        exact = selectors.total(CostQuery(filled.account_id, DayRange(first, last + dt.timedelta(days=1))))
        assert Decimal(figures_in(answer.text)[0]) == exact
        assert f"from={first}&to={last + dt.timedelta(days=1)}" in answer.redirect_chain[-1][0]
        assert "Save changes" not in answer.text

    def test_offers_to_keep_what_was_changed(self, editor, visit, filled, shared):
        client = visit(editor)

        assert "Save changes" not in client.get(f"/views/{shared.pk}/", follow=True).text
        assert "Save changes" in client.get(f"/explore/?range=30d&view={shared.pk}").text
        client.post(f"/views/{shared.pk}/replace/", {"query": f"range=30d&view={shared.pk}"})
        shared.refresh_from_db()
        assert shared.query == ""

    def test_tells_of_a_view_that_is_gone(self, viewer, visit, filled, own):
        answer = visit(viewer).get(f"/explore/?view={own.pk}")

        assert answer.status_code == 200
        assert "deleted or is not shared with you" in answer.text
        assert "Mine" not in answer.text


class TestWhoSees:
    def test_what_is_shared_everybody_of_the_account(self, viewer, visit, shared, own):
        text = visit(viewer).get("/views/").text

        assert "Ours" in text
        assert "Mine" not in text

    def test_ones_own_only_oneself(self, editor, colleague, visit, own):
        assert "Mine" in visit(editor).get("/views/").text
        assert visit(colleague).get(f"/views/{own.pk}/").status_code == 404

    @pytest.mark.parametrize(
        "path", ["views/{view}/", "views/{view}/edit/", "dashboards/{board}/", "dashboards/{board}/arrange/",
                 "dashboards/{board}/edit/", "dashboards/{board}/tiles/{tile}/"],
    )  # fmt: skip
    def test_nobody_of_another_account(self, charlie, visit, shared, board, path):
        tile = board.tiles.first()
        address = path.format(view=shared.pk, board=board.pk, tile=tile.pk)

        assert visit(charlie).get(f"/{address}").status_code == 404

    @pytest.mark.parametrize(
        "path", ["views/{view}/replace/", "views/{view}/edit/", "views/{view}/delete/",
                 "dashboards/{board}/arrange/", "dashboards/{board}/edit/", "dashboards/{board}/delete/",
                 "dashboards/{board}/tiles/{tile}/change/"],
    )  # fmt: skip
    def test_nor_changes_anything(self, charlie, visit, shared, board, path):
        tile = board.tiles.first()
        address = path.format(view=shared.pk, board=board.pk, tile=tile.pk)

        assert visit(charlie).post(f"/{address}", {"name": "x", "view": shared.pk}).status_code == 404
        assert (SavedView.objects.count(), Dashboard.objects.count(), Tile.objects.count()) == (2, 1, 2)

    def test_a_shared_dashboard_does_not_share_a_view_of_ones_own(self, viewer, visit, board, own):
        client = visit(viewer)
        tile = board.tiles.get(view=own)

        assert "Mine" not in client.get(f"/dashboards/{board.pk}/").text
        assert client.get(f"/dashboards/{board.pk}/tiles/{tile.pk}/").status_code == 404

    def test_a_view_of_somebody_else_cannot_be_put_on_a_dashboard(self, colleague, visit, board, own):
        answer = visit(colleague).post(f"/dashboards/{board.pk}/arrange/", {"view": str(own.pk)})

        assert answer.status_code == 404


class TestRoles:
    @pytest.mark.parametrize(
        "path", ["views/save/", "views/{view}/replace/", "views/{view}/edit/", "views/{view}/delete/",
                 "dashboards/make/", "dashboards/{board}/arrange/", "dashboards/{board}/edit/",
                 "dashboards/{board}/delete/", "dashboards/{board}/tiles/{tile}/change/"],
    )  # fmt: skip
    def test_a_viewer_changes_nothing(self, viewer, visit, shared, board, path):
        address = path.format(view=shared.pk, board=board.pk, tile=board.tiles.first().pk)

        assert visit(viewer).post(f"/{address}", {"name": "x"}).status_code == 403

    def test_a_viewer_sees_no_button_that_would_be_refused(self, viewer, visit, filled, shared, board):
        client = visit(viewer)
        pages = [client.get(path).text for path in ("/explore/", "/views/", "/dashboards/")]
        pages.append(client.get(f"/dashboards/{board.pk}/").text)

        assert not re.search(r"Save view|Save as|Arrange|Rename|Make dashboard|/edit/", "".join(pages))


class TestEditing:
    def test_renames_and_shares(self, editor, visit, own):
        visit(editor).post(f"/views/{own.pk}/edit/", {"name": "New name", "is_shared": "on"})

        own.refresh_from_db()
        assert (own.name, own.is_shared) == ("New name", True)

    def test_asks_for_a_name(self, editor, visit, own):
        assert "Give it a name." in visit(editor).post(f"/views/{own.pk}/edit/", {"name": " "}).text

    def test_a_deleted_view_leaves_its_dashboards(self, editor, visit, shared, board):
        visit(editor).post(f"/views/{shared.pk}/delete/")

        assert board.tiles.count() == 1
        assert AuditEvent.objects.filter(action="view.deleted", target="Ours").exists()


class TestDashboard:
    def test_is_made_filled_and_arranged(self, editor, visit, shared, own):
        client = visit(editor)
        client.post("/dashboards/make/", {"name": "New", "is_shared": "on"})
        made = Dashboard.objects.get()
        for view in (shared, own):
            client.post(f"/dashboards/{made.pk}/arrange/", {"view": str(view.pk)})
        first, second = made.tiles.all()

        client.post(f"/dashboards/{made.pk}/tiles/{second.pk}/change/", {"do": "up"})
        change = {"do": "change", f"tile-{second.pk}-width": "full", f"tile-{second.pk}-shows": "table"}
        client.post(f"/dashboards/{made.pk}/tiles/{second.pk}/change/", change)

        assert [(tile.view.name, tile.width, tile.shows) for tile in made.tiles.all()] == [
            ("Mine", "full", "table"), ("Ours", "half", "chart")
        ]  # fmt: skip
        client.post(f"/dashboards/{made.pk}/tiles/{first.pk}/change/", {"do": "remove"})
        assert [tile.view.name for tile in made.tiles.all()] == ["Mine"]

    @pytest.mark.parametrize("steps", [-5, 5])
    def test_tiles_stay_at_either_end(self, editor, visit, board, steps):
        person = saved_views.Person(Principal(board.account, Role.EDITOR, "e"), editor)

        saved_views.move_tile(person, board.tiles.first(), steps)

        assert board.tiles.count() == 2

    def test_refuses_a_width_there_is_not(self, editor, visit, board):
        tile = board.tiles.first()
        answer = visit(editor).post(
            f"/dashboards/{board.pk}/tiles/{tile.pk}/change/", {f"tile-{tile.pk}-width": "huge"}, follow=True
        )

        assert "no such width" in answer.text

    def test_has_room_for_so_many_tiles(self, editor, visit, board, shared, monkeypatch):
        monkeypatch.setattr(saved_views, "MOST_TILES", 2)

        answer = visit(editor).post(f"/dashboards/{board.pk}/arrange/", {"view": str(shared.pk)}, follow=True)

        assert "room for 2 tiles" in answer.text
        assert board.tiles.count() == 2

    @pytest.mark.parametrize("shows", ["chart", "table", "figure"])
    def test_tiles_show_what_the_view_shows(self, viewer, visit, filled, board, shared, shows):
        tile = board.tiles.get(view=shared)
        tile.shows = shows
        tile.save()

        text = visit(viewer).get(f"/dashboards/{board.pk}/tiles/{tile.pk}/").text

        days = ranges.period("7d", today()).days
        assert Decimal(figures_in(text)[0]) == selectors.total(CostQuery(filled.account_id, days))
        assert ("<table" in text) == (shows == "table")
        assert ("data-chart" in text) == (shows == "chart")

    def test_tiles_follow_the_range_of_the_page(self, viewer, visit, filled, board, shared):
        client = visit(viewer)
        tile = board.tiles.get(view=shared)

        page = client.get(f"/dashboards/{board.pk}/?range=mtd").text
        text = client.get(f"/dashboards/{board.pk}/tiles/{tile.pk}/?range=mtd").text

        assert f"/tiles/{tile.pk}/?range=mtd" in page
        days = ranges.period("mtd", today()).days
        assert Decimal(figures_in(text)[0]) == selectors.total(CostQuery(filled.account_id, days))

    def test_tiles_follow_the_days_of_the_page(self, viewer, visit, filled, board, shared):
        client = visit(viewer)
        tile = board.tiles.get(view=shared)
        days = DayRange(today() - dt.timedelta(days=9), today() - dt.timedelta(days=4))

        page = client.get(f"/dashboards/{board.pk}/?from={days.start}&to={days.end}").text
        address = re.search(rf'hx-get="(/dashboards/{board.pk}/tiles/{tile.pk}/[^"]*)"', page)[1]
        text = client.get(address.replace("&amp;", "&")).text

        assert Decimal(figures_in(text)[0]) == selectors.total(CostQuery(filled.account_id, days))
        assert "without both of its days" in client.get(f"/dashboards/{board.pk}/?from={days.start}").text


class TestRates:
    @pytest.fixture(autouse=True)
    def one_report(self) -> None:
        """Here every report is read: a rate needs tokens."""

    def test_tiles_of_a_rate_show_the_rate(self, viewer, visit, filled, board, shared):
        shared.query = "range=7d&metric=usd_per_million"
        shared.save()
        tile = board.tiles.get(view=shared)

        text = visit(viewer).get(f"/dashboards/{board.pk}/tiles/{tile.pk}/").text

        query = CostQuery(filled.account_id, ranges.period("7d", today()).days)
        tokens = usage.summarise(query).totals["total_tokens"]
        exact = figures.per_million(selectors.total(query), tokens)
        rate = figures.rate(exact)
        assert (
            f'<span class="big"><data value="{exact}" title="{exact} USD per million tokens">{rate}</data>'
            in text
        )


class TestHome:
    def test_is_the_overview_until_something_is_pinned(self, viewer, visit, filled):
        assert "<h1>Overview</h1>" in visit(viewer).get("/").text

    def test_is_what_a_person_pinned_and_nobody_elses(self, viewer, editor, visit, filled, board):
        client = visit(viewer)

        client.post("/home/", {"dashboard": str(board.pk)})

        assert client.get("/").headers["Location"] == f"/dashboards/{board.pk}/"
        assert "<h1>Overview</h1>" in client.get("/overview/").text
        assert "<h1>Overview</h1>" in visit(editor).get("/").text

    def test_can_be_a_view_and_the_overview_again(self, viewer, visit, filled, shared):
        client = visit(viewer)
        client.post("/home/", {"view": str(shared.pk)})
        assert client.get("/").headers["Location"] == f"/views/{shared.pk}/"

        client.post("/home/")

        assert client.get("/").status_code == 200
        assert not Home.objects.exists()

    def test_is_the_overview_again_when_it_is_no_longer_seen(self, viewer, visit, filled, shared):
        client = visit(viewer)
        client.post("/home/", {"view": str(shared.pk)})
        SavedView.objects.update(is_shared=False)

        assert client.get("/").status_code == 200

    @pytest.mark.parametrize("what", ["view", "dashboard"])
    def test_cannot_be_something_one_does_not_see(self, charlie, visit, shared, board, what):
        key = {"view": shared.pk, "dashboard": board.pk}[what]

        assert visit(charlie).post("/home/", {what: str(key)}).status_code == 404
        assert visit(charlie).post("/home/", {what: "x"}).status_code == 404


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    """The second acts while the first has not committed yet."""

    @pytest.fixture
    def person(self, board, editor) -> saved_views.Person:
        return saved_views.Person(Principal(board.account, Role.EDITOR, "e"), editor)

    @pytest.fixture
    def order(self, board):
        return lambda: list(board.tiles.order_by("position", "pk").values_list("view__name", "position"))

    def test_add_tiles_at_places_of_their_own(self, board, person, own, shared, order):
        refused = at_once(
            lambda: saved_views.add_tile(person, board, own),
            lambda: saved_views.add_tile(person, board, shared),
        )

        assert refused is None
        assert order() == [("Ours", 1), ("Mine", 2), ("Mine", 3), ("Ours", 4)]

    def test_add_no_tile_beyond_the_last_place(self, board, person, own, monkeypatch):
        monkeypatch.setattr(saved_views, "MOST_TILES", 3)

        refused = at_once(
            lambda: saved_views.add_tile(person, board, own), lambda: saved_views.add_tile(person, board, own)
        )

        assert isinstance(refused, saved_views.TooManyError)
        assert board.tiles.count() == 3

    def test_move_tiles_one_after_the_other(self, board, person, own, order):
        third = saved_views.add_tile(person, board, own)
        first = board.tiles.get(position=1)

        refused = at_once(
            lambda: saved_views.move_tile(person, third, -1), lambda: saved_views.move_tile(person, first, 1)
        )

        assert refused is None
        assert [place for _, place in order()] == [1, 2, 3]
        assert list(board.tiles.order_by("position").values_list("pk", flat=True))[:2] == [third.pk, first.pk]

    def test_keep_no_more_than_there_is_room_for(self, person, board, monkeypatch):
        monkeypatch.setattr(saved_views, "MOST_KEPT", 3)
        save = [
            lambda name=name: saved_views.save_view(person, saved_views.NewView(name, STATE))
            for name in ("A", "B")
        ]

        refused = at_once(*save)

        assert isinstance(refused, saved_views.TooManyError)
        assert SavedView.objects.count() == 3

    @pytest.mark.parametrize(
        "second",
        [
            saved_views.delete,
            lambda person, view: saved_views.edit(person, view, name="New", is_shared=True),
            lambda person, view: saved_views.replace_state(person, view, "range=30d"),
        ],
        ids=["delete", "edit", "replace_state"],
    )
    def test_find_what_the_other_deleted_gone(self, person, shared, second):
        theirs = SavedView.objects.get(pk=shared.pk)

        refused = at_once(lambda: saved_views.delete(person, shared), lambda: second(person, theirs))

        assert isinstance(refused, saved_views.GoneError)
        assert AuditEvent.objects.filter(target_id=str(theirs.pk)).count() == 1

    @pytest.mark.parametrize(
        "second",
        [
            saved_views.remove_tile,
            lambda person, tile: saved_views.change_tile(person, tile, width="full", shows="chart"),
        ],
        ids=["remove", "change"],
    )
    def test_find_a_tile_that_the_other_removed_gone(self, person, board, second):
        mine, theirs = (board.tiles.get(position=1) for _ in range(2))

        refused = at_once(lambda: saved_views.remove_tile(person, mine), lambda: second(person, theirs))

        assert isinstance(refused, saved_views.GoneError)

    def test_are_told_404_for_what_is_gone(self, editor, visit, board, monkeypatch):
        """Deleted between the look and the deed: no crash of ours."""
        look = saved_views.find

        def found_and_deleted(person, model, key):
            found = look(person, model, key)
            model.objects.filter(pk=key).delete()
            return found

        monkeypatch.setattr(saved_views, "find", found_and_deleted)

        answer = visit(editor).post(f"/dashboards/{board.pk}/delete/")

        assert answer.status_code == 404
