"""The workspace list: what is shown by default, and paging by id in both directions."""

WORKSPACES = "/v1/organizations/workspaces"


def ids(page):
    return [workspace["id"] for workspace in page["data"]]


class TestList:
    def test_shows_neither_the_default_nor_archived_workspaces(self, cedar):
        page = cedar.get(WORKSPACES).json

        assert len(page["data"]) == 9
        assert "Default" not in {workspace["name"] for workspace in page["data"]}
        assert {workspace["archived_at"] for workspace in page["data"]} == {None}

    def test_shows_all_when_asked(self, cedar, sim):
        page = cedar.get(WORKSPACES, "include_archived=true&include_default=true").json

        (known,) = sim.organisations(organisation="cedar-group")
        assert sorted(ids(page)) == sorted(workspace["id"] for workspace in known["workspaces"])
        assert sum(workspace["archived_at"] is not None for workspace in page["data"]) == 2

    def test_pages_forwards_and_backwards(self, cedar):
        everything = ids(cedar.get(WORKSPACES).json)
        first = cedar.get(WORKSPACES, "limit=4").json
        second = cedar.get(WORKSPACES, {"limit": 4, "after_id": first["last_id"]}).json
        third = cedar.get(WORKSPACES, {"limit": 4, "after_id": second["last_id"]}).json
        back = cedar.get(WORKSPACES, {"limit": 4, "before_id": third["first_id"]}).json

        assert ids(first) + ids(second) + ids(third) == everything
        assert [first["has_more"], second["has_more"], third["has_more"]] == [True, True, False]
        assert (ids(back), back["has_more"]) == (ids(second), True)

    def test_chooses_by_id(self, cedar):
        chosen = ids(cedar.get(WORKSPACES).json)[2:4]

        page = cedar.get(WORKSPACES, [("ids[]", chosen[0]), ("ids[]", chosen[1])]).json

        assert ids(page) == chosen

    def test_an_empty_page_has_null_ids(self, cedar):
        page = cedar.get(WORKSPACES, "ids[]=wrkspc_none").json

        assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


class TestGet:
    def test_the_default_workspace_has_a_real_id(self, acorn, sim):
        (known,) = sim.organisations(organisation="acorn-studio")

        workspace = acorn.get(f"{WORKSPACES}/{known['workspaces'][0]['id']}").json

        assert workspace["name"] == "Default"
        assert workspace["id"].startswith("wrkspc_01")

    def test_an_unknown_one_is_404(self, acorn):
        assert acorn.get(f"{WORKSPACES}/wrkspc_none").error[:2] == (404, "not_found_error")

    def test_another_organisations_is_404(self, acorn, cedar):
        foreign = ids(cedar.get(WORKSPACES).json)[0]

        assert acorn.get(f"{WORKSPACES}/{foreign}").status == 404
