from __future__ import annotations

import pytest

from integrations.anthropic.reports.names import (
    api_keys_request,
    people_request,
    read_api_keys,
    read_people,
    read_workspaces,
    workspaces_request,
)
from integrations.errors import UpstreamError
from tests.integrations.reports.answers import body


def workspace(number, name="Default", **fields):
    return {"id": f"wrkspc_{number}", "name": name, **fields}


def default_of(*rows):
    return [
        record.resource_id
        for record in read_workspaces([body(*rows, last_id=None)]).names
        if record.is_default
    ]


class TestRequests:
    def test_ask_for_archived_workspaces_and_the_default_one(self):
        assert workspaces_request().query == (
            ("include_archived", "true"),
            ("include_default", "true"),
            ("limit", "1000"),
        )

    def test_ask_for_keys_of_every_status(self):
        assert api_keys_request().query == (("limit", "1000"),)

    def test_ask_for_people_under_the_name_of_the_stream(self):
        assert (people_request("members").report_name, people_request("users", limit=1).query) == (
            "members",
            (("limit", "1"),),
        )


class TestReadWorkspaces:
    def test_takes_the_last_spelling_when_the_list_moved_while_paging(self):
        pages = [
            body(workspace(1, "Old"), has_more=True, last_id="wrkspc_1"),
            body(workspace(1, "New"), last_id=None),
        ]

        assert [record.name for record in read_workspaces(pages).names] == ["New"]

    @pytest.mark.parametrize("name", ["created_at", "archived_at"])
    def test_keeps_a_workspace_whose_moment_cannot_be_read(self, name):
        (found,) = read_workspaces([body(workspace(1, "A", **{name: "soon"}), last_id=None)]).names

        assert (found.name, found.archived_at, found.attributes) == ("A", None, {name: "soon"})

    def test_finds_the_default_workspace_by_its_name(self):
        assert default_of(workspace(1, "A"), workspace(2)) == ["wrkspc_2"]

    def test_takes_the_oldest_of_several(self):
        older = workspace(1, created_at="2024-01-01T00:00:00Z")

        assert default_of(workspace(2, created_at="2025-01-01T00:00:00Z"), older) == ["wrkspc_1"]

    def test_passes_over_archived_ones(self):
        assert default_of(workspace(1, archived_at="2026-01-01T00:00:00Z"), workspace(2)) == ["wrkspc_2"]

    @pytest.mark.parametrize(
        "rows",
        [
            [workspace(1, "A")],
            [workspace(1), workspace(2)],
            [workspace(1), workspace(2, created_at="2025-01-01T00:00:00Z")],
        ],
    )
    def test_names_none_rather_than_guess(self, rows):
        assert default_of(*rows) == []


@pytest.mark.parametrize("read", [read_workspaces, read_api_keys, read_people])
class TestEveryList:
    def test_is_refused_while_a_page_is_missing(self, read):
        with pytest.raises(UpstreamError, match="not complete"):
            read([body({"id": "x_1", "name": "A"}, has_more=True, last_id="x_1")])

    @pytest.mark.parametrize("row", [{"id": "x_2"}, {"id": "x_2", "name": 5}, {"id": "x_2", "name": ""}])
    def test_names_the_others_beside_one_without_a_name(self, read, row):
        reading = read([body({"id": "x_1", "name": "A"}, row, last_id=None)])

        assert [(each.name, each.is_nameless) for each in reading.names] == [("A", False), ("x_2", True)]

    @pytest.mark.parametrize("row", [{"name": "B"}, {"id": 7, "name": "B"}, {"id": "", "name": "B"}])
    def test_passes_over_a_row_without_an_id_and_tells_of_it(self, read, row):
        reading = read([body({"id": "x_1", "name": "A"}, row, last_id=None)])

        assert [each.name for each in reading.names] == ["A"]
        assert len(reading.unread) == 1

    def test_covers_no_day(self, read):
        reading = read([body({"id": "x_1", "name": "A"}, last_id="x_1")])

        assert (reading.covered, reading.records, reading.as_of) == (frozenset(), (), None)


class TestReadPeople:
    def test_takes_either_spelling_of_the_address(self):
        rows = [
            {"id": "user_1", "email": "a@example.com"},
            {"id": "user_2", "email_address": "b@example.com"},
        ]

        names = read_people([body(*rows, last_id=None)]).names

        assert [(name.name, name.attributes) for name in names] == [
            ("a@example.com", {"email": "a@example.com"}),
            ("b@example.com", {"email": "b@example.com"}),
        ]
