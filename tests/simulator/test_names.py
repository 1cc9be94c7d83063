"""The lists of API keys and users: what each version shows, and what remains of those who left."""

from datetime import date

import pytest

from .caller import rows
from .test_usage_report import usage

KEYS, USERS, WORKSPACES = (f"/v1/organizations/{name}" for name in ("api_keys", "users", "workspaces"))
NEW = {"anthropic-version": "2026-10-21"}
DAY, NEXT = "2026-11-18", "2026-11-19"


def everything(caller, path, **query):
    page = caller.get(path, {"limit": 1000, **query}).json
    assert page["has_more"] is False
    return {item["id"]: item for item in page["data"]}


class TestKeys:
    def test_shows_every_status(self, cedar):
        found = everything(cedar, KEYS)

        assert {key["status"] for key in found.values()} == {"active", "inactive", "archived", "expired"}
        assert everything(cedar, KEYS, status="expired") == {
            key["id"]: key for key in found.values() if key["status"] == "expired"
        }

    def test_the_old_version_has_the_workspace_id_at_the_top(self, cedar):
        old, new = everything(cedar, KEYS), cedar.get(KEYS, {"limit": 1000}, headers=NEW).json["data"]

        default = next(
            workspace["id"]
            for workspace in everything(cedar, WORKSPACES, include_default="true").values()
            if workspace["name"] == "Default"
        )
        assert not any("workspace_id" in key for key in new)
        assert {key["id"] for key in new} == set(old)
        for key in old.values():
            scope = key["scope"].get("workspace_id")
            assert key["workspace_id"] == (None if scope == default else scope)
        assert {"type": "organization"} in [key["scope"] for key in new]

    def test_keys_belong_to_people_and_service_accounts_too(self, cedar):
        found = everything(cedar, KEYS).values()

        assert {key["principal"]["type"] for key in found if key["principal"]} == {
            "user_actor",
            "service_account_actor",
        }
        assert {key["created_by"]["type"] for key in found if key["created_by"]} == {
            "user",
            "service_account",
        }
        assert all(key["partial_key_hint"].startswith("sk-ant-api0") for key in found)

    def test_reports_name_no_key_that_the_list_lacks(self, cedar):
        found = {row["api_key_id"] for row in rows(usage(cedar, "2026-10-20", "2026-11-20", "api_key_id"))}

        assert None in found
        assert found - {None} <= set(everything(cedar, KEYS))

    def test_archived_keys_have_usage_of_old(self, cedar):
        archived = everything(cedar, KEYS, status="archived")

        found = rows(usage(cedar, "2026-01-01", "2026-07-01", "api_key_id"))

        assert {row["api_key_id"] for row in found} & set(archived)

    def test_filters(self, cedar):
        found = everything(cedar, KEYS)
        one = next(key for key in found.values() if key["created_by"] and key["workspace_id"])

        by_workspace = everything(cedar, KEYS, workspace_id=one["workspace_id"])
        by_creator = everything(cedar, KEYS, created_by_user_id=one["created_by"]["id"])

        assert {key["workspace_id"] for key in by_workspace.values()} == {one["workspace_id"]}
        assert {key["created_by"]["id"] for key in by_creator.values()} == {one["created_by"]["id"]}

    def test_gets_one(self, cedar):
        key = next(iter(everything(cedar, KEYS).values()))

        assert cedar.get(f"{KEYS}/{key['id']}").json == key
        assert cedar.get(f"{KEYS}/apikey_none").error[:2] == (404, "not_found_error")

    def test_pages_by_id(self, cedar):
        first = cedar.get(KEYS, "limit=20").json
        second = cedar.get(KEYS, {"limit": 1000, "after_id": first["last_id"]}).json

        assert [key["id"] for key in first["data"] + second["data"]] == list(everything(cedar, KEYS))

    @pytest.mark.parametrize("query", ["status=paused", "statuses[]=active", "page=x", "limit=1001"])
    def test_refuses(self, cedar, query):
        assert cedar.get(KEYS, query).error[:2] == (400, "invalid_request_error")


class TestUsers:
    def test_lists_members_with_console_roles(self, cedar):
        found = everything(cedar, USERS)

        assert {user["role"] for user in found.values()} == {
            "admin",
            "billing",
            "claude_code_user",
            "developer",
            "user",
        }
        assert len({user["email"] for user in found.values()}) == len(found) == 37

    def test_filters(self, cedar):
        found = everything(cedar, USERS)
        one = next(iter(found.values()))

        assert list(everything(cedar, USERS, email=one["email"])) == [one["id"]]
        page = cedar.get(USERS, [("roles[]", "admin"), ("roles[]", "billing"), ("limit", 100)]).json
        assert {user["role"] for user in page["data"]} == {"admin", "billing"}
        assert cedar.get(f"{USERS}/{one['id']}").json == one

    @pytest.mark.parametrize("query", ["roles[]=owner", "role=admin", "ids[]=x"])
    def test_refuses(self, cedar, query):
        assert cedar.get(USERS, query).error[:2] == (400, "invalid_request_error")


class TestChanges:
    def test_a_deleted_user_vanishes_and_stays_in_reports(self, call, sim):
        caller = call("org-00050")
        before = usage(caller, DAY, NEXT, "account_id")
        user_id = next(row["account_id"] for row in rows(before) if row["account_id"])

        sim.world("org-00050", "delete_user", user_id=user_id)

        assert user_id not in everything(caller, USERS)
        assert caller.get(f"{USERS}/{user_id}").status == 404
        assert usage(caller, DAY, NEXT, "account_id") == before
        sim.set_clock("2026-11-28T12:00:00Z")
        later = rows(usage(caller, "2026-11-21", "2026-11-28", "account_id"))
        assert user_id not in {row["account_id"] for row in later}

    def test_a_user_is_renamed(self, call, sim):
        caller = call("org-00051")
        user_id = next(iter(everything(caller, USERS)))

        sim.world("org-00051", "rename_user", user_id=user_id, name="New Name", email="new@example.com")

        found = everything(caller, USERS)[user_id]
        assert (found["name"], found["email"]) == ("New Name", "new@example.com")

    @pytest.mark.parametrize("status", ["inactive", "archived", "expired"])
    def test_a_key_that_ends_keeps_its_past(self, call, sim, status):
        slug = {"inactive": "org-00052", "archived": "org-00053", "expired": "org-00054"}[status]
        caller = call(slug)
        before = usage(caller, DAY, NEXT, "api_key_id")
        key_id = next(row["api_key_id"] for row in rows(before) if row["api_key_id"])

        sim.world(slug, "key_status", api_key_id=key_id, status=status)

        assert everything(caller, KEYS)[key_id]["status"] == status
        assert usage(caller, DAY, NEXT, "api_key_id") == before
        sim.set_clock("2026-11-28T12:00:00Z")
        later = rows(usage(caller, "2026-11-21", "2026-11-28", "api_key_id"))
        assert key_id not in {row["api_key_id"] for row in later}
        total = sim.usage_truth(slug, date(2026, 11, 21), date(2026, 11, 28)).totals["output_tokens"]
        assert sum(row["output_tokens"] for row in later) == total

    def test_a_key_is_renamed(self, call, sim):
        caller = call("org-00055")
        key_id = next(iter(everything(caller, KEYS)))

        sim.world("org-00055", "rename_key", api_key_id=key_id, name="renamed")

        assert everything(caller, KEYS)[key_id]["name"] == "renamed"

    def test_archiving_a_workspace_archives_its_keys(self, call, sim):
        caller = call("org-00056")
        before = usage(caller, "2026-10-01", "2026-11-20", "api_key_id", limit=31)
        workspace_id = next(iter(everything(caller, WORKSPACES)))

        sim.world("org-00056", "archive_workspace", workspace_id=workspace_id)

        statuses = {key["status"] for key in everything(caller, KEYS, workspace_id=workspace_id).values()}
        assert statuses == {"archived"}
        assert usage(caller, "2026-10-01", "2026-11-20", "api_key_id", limit=31) == before
